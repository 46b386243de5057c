import { expect, test } from "vitest";
import { logicLessRenderer } from "../../../src/scaffold/logic-less.js";
import { templateModel } from "../../../src/scaffold/template-model.js";
import { templateVariables } from "../../../src/scaffold/variables.js";
import { detectedAs } from "../../setup/detected.js";
import { hostileNames } from "../../setup/hostile-names.js";

const found = detectedAs({
  kind: "skops",
  features: { count: 2, names: ['a "b"', "c"] },
  labels: ["x", "y"],
});
const facts = { name: "digits", python: "3.12", answers: { greeting: "hello, you" } };
const variables = templateVariables({ ...facts, model: templateModel(found, ["m.skops"]) });
const render = (text: string, given = variables) => logicLessRenderer(given).render(text, "a.mustache");

test("a tag is a variable, or a value as a literal", () => {
  expect(render("{{name}} {{ python }} {{model.features.count}} {{py model.main}} {{{json greeting}}}")).toBe(
    'digits 3.12 2 "m.skops" "hello, you"',
  );
});

test("a section is repeated for a list, and left out for what is not there", () => {
  expect(
    render(
      [
        "{{#model.features.columns}}",
        "    {{identifier}}: float  # {{comment name}}",
        "{{/model.features.columns}}",
        "{{#model}}with a model{{/model}}{{^model}}without{{/model}}",
        "{{^model.task}}no task{{/model.task}}",
        "{{#model.labels}}[{{py .}}]{{/model.labels}}",
      ].join("\n"),
    ),
  ).toBe('    a_b: float  # a \'b\'\n    c: float  # c\nwith a model\nno task\n["x"]["y"]');
  const without = templateVariables({ ...facts, model: null });
  expect(render("{{#model}}with{{/model}}{{^model}}without{{/model}}", without)).toBe("without");
});

test.each([
  ["{{nothing}}", "there is no such text"],
  ["{{py nothing}}", "there is no nothing"],
  ["{{greeting}}", "put it through a function"],
  ["{{eval name}}", "there is no eval"],
  ["{{py name name}}", "more than a function and a value"],
  ["{{> /etc/passwd}}", "is not supported"],
  ["{{constructor}}", "there is no such text"],
  ["{{py model.constructor}}", "there is no model.constructor"],
  ["{{py __proto__}}", "there is no __proto__"],
  ["{{json py}}", "there is no py"],
  ["{{#model}}", "Unclosed section"],
])("%s is refused", (text, why) => {
  expect(() => render(text)).toThrow(
    expect.objectContaining({ code: "template", why: expect.stringContaining(why) }),
  );
});

test.each([
  "{{#toString.constructor}}process.exit(1){{/toString.constructor}}",
  "{{#model.files.constructor}}x{{/model.files.constructor}}",
  "{{#py}}x{{/py}}",
])("%s calls nothing", (text) => {
  expect(render(text)).toBe("");
});

test.each(hostileNames.filter((name) => !/^[\w.[\]-]*$/.test(name)))(
  "%j reaches no file as it is",
  (name) => {
    const given = templateVariables({ ...facts, answers: { name_of_it: name }, model: null });
    expect(() => render("{{name_of_it}}", given)).toThrow();
  },
);

test("sections in sections end before they fill a disk", () => {
  const labels = new Array(2000).fill("x");
  const given = templateVariables({ ...facts, model: templateModel({ ...found, labels }, ["m"]) });
  const open = "{{#model.labels}}".repeat(4);
  const close = "{{/model.labels}}".repeat(4);
  expect(() => render(`${open}x${close}`, given)).toThrow("cannot be rendered");
});
