import { UserError } from "../../errors.js";

/** Where a template is: one of ours, or elsewhere. */
export type TemplateSpec =
  | { kind: "own"; name: string }
  | { kind: "folder"; path: string }
  | { kind: "git"; url: string; protocol: GitProtocol; ref: string | undefined; path: string }
  | { kind: "npm"; name: string; version: string | undefined };

export type GitProtocol = "https" | "ssh" | "file";

const packageName = /^(?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/;

/** What `--template` says. */
export function readSpec(text: string): TemplateSpec {
  if (/^(\.{1,2}([\\/]|$)|[\\/]|[A-Za-z]:[\\/])/.test(text)) return { kind: "folder", path: text };
  if (text.startsWith("npm:")) return readPackage(text);
  if (text.startsWith("github:")) return readGitHub(text);
  if (/^(git\+)?(https|http|ssh|file|git):\/\//.test(text)) return readUrl(text);
  if (/^git@[A-Za-z0-9][\w.-]*:[^-]/.test(text)) return readScp(text);
  return { kind: "own", name: text };
}

function readPackage(text: string): TemplateSpec {
  const rest = text.slice("npm:".length);
  const at = rest.lastIndexOf("@");
  const [name, version] = at > 0 ? [rest.slice(0, at), rest.slice(at + 1)] : [rest, undefined];
  // A version or a tag: npm takes addresses and folders in its place, too.
  if (!packageName.test(name) || (version !== undefined && !/^[0-9A-Za-z][0-9A-Za-z.+-]*$/.test(version))) {
    throw wrong(text, "Write it like npm:name, npm:@scope/name or npm:name@1.2.3.");
  }
  return { kind: "npm", name, version };
}

function readGitHub(text: string): TemplateSpec {
  const { address, ref, path } = splitFragment(text, text.slice("github:".length));
  const [owner = "", repository = "", ...folders] = address.split("/");
  if (!/^[A-Za-z0-9][\w.-]*$/.test(owner) || !/^[\w.-]+$/.test(repository) || /^\.+$/.test(repository)) {
    throw wrong(
      text,
      "Write it like github:owner/repository, github:owner/repository/folder or github:owner/repository#v1.",
    );
  }
  if (folders.length > 0 && path !== "") throw wrong(text, "Name the folder once.");
  return {
    kind: "git",
    url: `https://github.com/${owner}/${repository.replace(/\.git$/, "")}.git`,
    protocol: "https",
    ref,
    path: folders.length > 0 ? checkPath(text, folders.join("/")) : path,
  };
}

function readUrl(text: string): TemplateSpec {
  const { address, ref, path } = splitFragment(text, text.replace(/^git\+/, ""));
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw wrong(text, "It is no address.");
  }
  const protocol = url.protocol.slice(0, -1);
  if (protocol !== "https" && protocol !== "ssh" && protocol !== "file") {
    throw wrong(text, "Templates are fetched over https and ssh.");
  }
  if (url.password !== "" || (protocol === "https" && url.username !== "")) {
    throw new UserError("usage", "The template's address holds credentials.", {
      why: "Other programs of this machine would see them.",
      hint: "Leave them out: git asks its credential helpers.",
    });
  }
  if (url.hostname.startsWith("-")) throw wrong(text, "It is no address.");
  return { kind: "git", url: url.href, protocol, ref, path };
}

function readScp(text: string): TemplateSpec {
  const { address, ref, path } = splitFragment(text, text);
  return { kind: "git", url: address, protocol: "ssh", ref, path };
}

/** `#ref`, `#ref:folder` or `#:folder`, as docker build has it. */
function splitFragment(
  text: string,
  rest: string,
): { address: string; ref: string | undefined; path: string } {
  const [address = "", fragment = "", ...more] = rest.split("#");
  const [ref = "", path = "", ...others] = fragment.split(":");
  if (more.length > 0 || others.length > 0)
    throw wrong(text, "Write what to take of it like #v1 or #v1:folder.");
  if (ref !== "" && (!/^[\w][\w./+@-]*$/.test(ref) || ref.includes(".."))) {
    throw wrong(text, "What follows # is no branch, tag or commit.");
  }
  return { address, ref: ref === "" ? undefined : ref, path: path === "" ? "" : checkPath(text, path) };
}

function checkPath(text: string, path: string): string {
  const parts = path.replace(/\/+$/, "").split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".." || /[\0\\]/.test(part))) {
    throw wrong(text, "The folder in it has to be a plain one.");
  }
  return parts.join("/");
}

function wrong(text: string, hint: string): UserError {
  return new UserError("usage", `"${text}" is no place for a template.`, { hint });
}
