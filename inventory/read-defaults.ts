/**
 * From the text of a defaults file to Defaults.
 * Invariant: every mistake is reported at once, with its place; no value is shown, passwords are Secrets.
 * Pure: files that the text names are read by whoever reads the text.
 */

import type { Place, Problem } from '../agent/protocol/problem.ts';
import { type Checked, success } from '../agent/protocol/problem.ts';
import { Secret } from '../agent/protocol/secret.ts';
import { builtInDefaults, type Defaults, type SshDefaults } from './defaults.ts';
import { type DefaultsForm, defaultsFile, knownDefaults } from './defaults-schema.ts';
import { inventoryProblem } from './problem-codes.ts';
import { schemaProblems } from './schema-problems.ts';
import { parseToml, type TomlDocument } from './toml.ts';

/** Sections that may hold a password. */
export const passwordSections = ['ssh', 'become'] as const;
export type PasswordSection = (typeof passwordSections)[number];

/** A file whose form is right. */
export interface DefaultsDraft {
  readonly form: DefaultsForm;
  readonly document: TomlDocument;
}

export interface DefaultsText {
  readonly file: string;
  readonly text: string;
  /** Permission bits of the file. */
  readonly mode: number;
}

/** Checks the text; a password in a file that others can read is a mistake like any other. */
export function checkDefaults({ file, text, mode }: DefaultsText): Checked<DefaultsDraft> {
  const document = parseToml(file, text);
  if (!document.ok) return document;
  const form = defaultsFile.safeParse(document.value.value);
  const problems = form.success
    ? []
    : schemaProblems(form.error, document.value, {
        known: knownDefaults,
        unknownKey: (message, where) => inventoryProblem('defaults.unknown-key', message, { where }),
        badValue: (message, where) => inventoryProblem('defaults.bad-value', message, { where }),
      });
  problems.push(...passwordProblems(document.value, mode));
  if (!form.success || problems.length > 0) return { ok: false, problems: inOrder(problems) };
  return success({ form: form.data, document: document.value });
}

function passwordProblems(document: TomlDocument, mode: number): Problem[] {
  return passwordSections.flatMap((section) => {
    const table = document.value[section];
    if (typeof table !== 'object' || table === null || !Object.hasOwn(table, 'password')) return [];
    const where = document.place([section, 'password']);
    const problems: Problem[] = [];
    if (isOpen(mode)) {
      const message = `${section}.password stands in a file that others can read (mode ${octal(mode)})`;
      problems.push(inventoryProblem('defaults.readable-password', message, { where }));
    }
    if (Object.hasOwn(table, 'password_file')) {
      const message = `${section} has both password and password_file`;
      problems.push(inventoryProblem('defaults.two-passwords', message, { where }));
    }
    return problems;
  });
}

/** Whether others than the owner can read a file of this mode. */
export function isOpen(mode: number): boolean {
  return (mode & 0o044) !== 0;
}

/** Permission bits as chmod takes them. */
export function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}

function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const at = ({ line = 0, column = 0 }: Place = {}): number => line * 100_000 + column;
  return problems.toSorted((a, b) => at(a.where) - at(b.where));
}

export interface DefaultsOutside {
  /** What `~` stands for. */
  readonly home: string;
  /** What the password files hold. */
  readonly passwords: Readonly<Partial<Record<PasswordSection, Secret>>>;
}

/** The defaults that a checked file gives. */
export function defaultsOf({ form, document }: DefaultsDraft, outside: DefaultsOutside): Defaults {
  const { become = {}, tuning = {}, runtime = {}, log = {} } = form;
  const builtIn = builtInDefaults;
  const absolute = (path: string): string => expandHome(path, outside.home);
  return Object.freeze({
    file: document.file,
    ssh: Object.freeze(sshOf(form.ssh ?? {}, outside)),
    become: Object.freeze({
      method: become.method,
      username: become.username,
      password: secretOf(become.password) ?? outside.passwords.become,
    }),
    tuning: Object.freeze({
      connections: tuning.connections ?? builtIn.tuning.connections,
      perBastion: tuning.per_bastion ?? builtIn.tuning.perBastion,
      contextsPerHost: tuning.contexts_per_host ?? builtIn.tuning.contextsPerHost,
      idleClose: tuning.idle_close ?? builtIn.tuning.idleClose,
      heartbeat: tuning.heartbeat ?? builtIn.tuning.heartbeat,
      attempts: tuning.attempts ?? builtIn.tuning.attempts,
      startTimeout: tuning.start_timeout ?? builtIn.tuning.startTimeout,
    }),
    runtime: Object.freeze({
      path: runtime.path,
      ship: runtime.ship ?? builtIn.runtime.ship,
      cache: runtime.cache ?? builtIn.runtime.cache,
    }),
    log: Object.freeze({
      level: log.level ?? builtIn.log.level,
      file: log.file === undefined ? undefined : absolute(log.file),
    }),
    place: placeFinder(document),
  });
}

function sshOf(form: NonNullable<DefaultsForm['ssh']>, outside: DefaultsOutside): SshDefaults {
  const absolute = (path: string): string => expandHome(path, outside.home);
  const { known_hosts: known, keepalive_interval: interval, keepalive_count: count } = form;
  const files = typeof known === 'string' ? [known] : known;
  const keepsAlive = interval !== undefined || count !== undefined;
  return {
    username: form.username,
    port: form.port,
    password: secretOf(form.password) ?? outside.passwords.ssh,
    key: form.key === undefined ? undefined : absolute(form.key),
    hostKeys: form.host_keys,
    knownHosts: files === undefined ? undefined : Object.freeze(files.map(absolute)),
    agent: form.agent === undefined ? undefined : absolute(form.agent),
    transport: form.transport,
    connectTimeout: form.connect_timeout,
    keepalive: keepsAlive ? Object.freeze({ interval: interval ?? 15, count: count ?? 3 }) : undefined,
  };
}

function secretOf(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text);
}

/** `~/x` under a home; every other path as it is. */
export function expandHome(path: string, home: string): string {
  return path.startsWith('~/') ? `${home.replace(/\/+$/, '')}/${path.slice(2)}` : path;
}

function placeFinder(document: TomlDocument): Defaults['place'] {
  return (key) => {
    const [section = '', name = ''] = key.split('.');
    const table = document.value[section] as Readonly<Record<string, unknown>> | undefined;
    return table !== undefined && Object.hasOwn(table, name) ? document.place([section, name]) : undefined;
  };
}
