import type { Page } from "playwright-core";

/** The texts of a page whose contrast is below what WCAG 2 AA asks for: 4.5, or 3 where they are large. */
export async function contrastOf(page: Page): Promise<string[]> {
  return (await page.evaluate(`(${measure})()`)) as string[];
}

// Runs in the page, whose types this program does not know.
const measure = `() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [red, green, blue] = rgba(colour).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const own = (node) => [...node.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.data.trim());
  const texts = [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && !node.closest("noscript, .off-screen, .skip, option") && (own(node) || node.matches("input, textarea, select")));
  return texts.flatMap((node) => {
    const style = getComputedStyle(node);
    const [one, other] = [light(style.color), light(ground(node))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    return ratio >= (large ? 3 : 4.5) ? [] : [ratio.toFixed(2) + " " + node.outerHTML.slice(0, 120)];
  });
}`;
