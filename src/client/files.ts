import { readFileSync } from "node:fs";
import { packagePath } from "../package.js";
import type { ServiceDescription } from "./description.js";
import { identifiersIn } from "./names.js";
import { pythonConstants, pythonTypes, withoutUnusedImports } from "./python.js";
import { assemble } from "./sections.js";
import { typesOf } from "./types.js";
import { typescriptConstants, typescriptTypes } from "./typescript.js";

export const clientLanguages = ["python", "typescript"] as const;
export type ClientLanguage = (typeof clientLanguages)[number];

export interface ClientFile {
  path: string;
  text: string;
}

/** Name of the file that a client is in, in a project and in its template. */
export const clientFileName: Readonly<Record<ClientLanguage, string>> = {
  python: "client.py",
  typescript: "client.ts",
};

/** The clients of a service, in every language. */
export function clientFiles(service: ServiceDescription): ClientFile[] {
  return clientLanguages.map((language) => clientFile(language, service));
}

/** A client of a service: the same text for the same description. */
export function clientFile(language: ClientLanguage, service: ServiceDescription): ClientFile {
  const path = clientFileName[language];
  const template = readFileSync(packagePath(`templates/client/${path}`), "utf8");
  return { path, text: (language === "python" ? python : typescript)(template, service) };
}

/** Whether a file's text is a client that this made. */
export function isClientFile(text: string): boolean {
  return /^(?:"""|\/\*\*\n \* )Client of a modelship service/.test(text);
}

function python(template: string, service: ServiceDescription): string {
  const text = assemble(template, flagsOf(service), {
    constants: pythonConstants(constantsOf(service)),
    types: service.predict ? pythonTypes(typesOf(service.predict, reservedIn(template, pythonWords))) : "",
  });
  return withoutUnusedImports(text);
}

function typescript(template: string, service: ServiceDescription): string {
  return assemble(template, flagsOf(service), {
    constants: typescriptConstants(constantsOf(service)),
    types: service.predict
      ? typescriptTypes(typesOf(service.predict, reservedIn(template, typescriptWords)))
      : "",
  });
}

/** Parts of the template that a service has a use for. */
function flagsOf({ predict, chat, complete, embed }: ServiceDescription): Set<string> {
  const rows = predict !== undefined && predict.streams !== true;
  const pieces = predict !== undefined && predict.streams !== false;
  const isKnown = predict === undefined || predict.types !== undefined;
  const flags = {
    known: isKnown,
    unknown: !isKnown,
    predicts: predict !== undefined,
    rows,
    jobs: rows,
    pieces,
    chat,
    complete,
    embed,
    generates: chat || complete,
    streams: pieces || chat || complete,
    openai: chat || complete || embed,
  };
  return new Set(Object.entries(flags).flatMap(([name, isOn]) => (isOn ? [name] : [])));
}

/** Those that the parts of `flagsOf` use. */
function constantsOf(service: ServiceDescription): [string, string | number][] {
  const { predict, chat, complete, embed } = service;
  const constants: [string, string | number, boolean][] = [
    ["API", service.api, predict !== undefined],
    ["MODEL", service.name, chat || complete || embed],
    ["DEFAULT_URL", service.url ?? "http://127.0.0.1:8080", true],
    ["MAX_ROWS", service.maxRows, (predict !== undefined && predict.streams !== true) || embed],
  ];
  return constants.flatMap(([name, value, isUsed]) => (isUsed ? [[name, value]] : []));
}

/** What a type of the service must not be called: whatever the file itself says. */
function reservedIn(template: string, words: string): Set<string> {
  return new Set([...identifiersIn(template), ...words.split(" ")]);
}

const pythonWords = "None True False Json Literal TypedDict TypeAlias";
const typescriptWords =
  "Array Record Object String Number Boolean Symbol Map Set Date Error RegExp JSON Math Promise Proxy Reflect " +
  "Function BigInt NaN Infinity Json Iterator Atomics Intl WeakMap WeakSet ArrayBuffer Uint8Array Request Response";
