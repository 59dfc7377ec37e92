/**
 * Finds and reads the controller's defaults file.
 * Invariant: the first file that exists is the only one read; one that exists and cannot be read is a problem, not a missing one.
 * Never takes a password from a file that others can read.
 */

import { open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Checked, failure, type Problem, type Result, success } from '../../agent/protocol/problem.ts';
import { Secret } from '../../agent/protocol/secret.ts';
import { builtInDefaults, type Defaults } from '../../inventory/defaults.ts';
import { inventoryProblem } from '../../inventory/problem-codes.ts';
import {
  checkDefaults,
  type DefaultsDraft,
  type DefaultsText,
  defaultsOf,
  expandHome,
  isOpen,
  octal,
  type PasswordSection,
  passwordSections,
} from '../../inventory/read-defaults.ts';
import type { Surroundings } from './command.ts';

type Where = Pick<Surroundings, 'environment' | 'home' | 'directory'>;

/** Most bytes of a file that is read. */
const mostBytes = 256 * 1024;

/** The files in the order they are looked for. TOWLINE_DEFAULTS names the only one; empty, it says that there is none. */
export function defaultsFiles({ environment, home, directory }: Where): readonly string[] {
  const named = environment.TOWLINE_DEFAULTS;
  if (named === '') return [];
  if (named !== undefined) return [resolve(directory, named)];
  return [join(home, '.towline', 'defaults.toml'), '/etc/towline/defaults.toml'];
}

/** Reads the first file that exists; what is built in where none does. */
export async function readDefaults(where: Where): Promise<Checked<Defaults>> {
  for (const file of defaultsFiles(where)) {
    const read = await readText(file);
    if (!read.ok) return { ok: false, problems: [read.problem] };
    if (read.value === undefined) continue;
    const draft = checkDefaults(read.value);
    return draft.ok ? withPasswords(draft.value, where.home) : draft;
  }
  const { TOWLINE_DEFAULTS: named } = where.environment;
  if (named === undefined || named === '') return success(builtInDefaults);
  const message = `TOWLINE_DEFAULTS names ${named}, and there is no such file`;
  return { ok: false, problems: [inventoryProblem('defaults.missing', message)] };
}

async function withPasswords(draft: DefaultsDraft, home: string): Promise<Checked<Defaults>> {
  const passwords: Partial<Record<PasswordSection, Secret>> = {};
  const problems: Problem[] = [];
  for (const section of passwordSections) {
    const path = draft.form[section]?.password_file;
    if (path === undefined) continue;
    const read = await readPassword(expandHome(path, home));
    if (read.ok) passwords[section] = read.value;
    else problems.push({ ...read.problem, where: draft.document.place([section, 'password_file']) });
  }
  return problems.length > 0 ? { ok: false, problems } : success(defaultsOf(draft, { home, passwords }));
}

async function readPassword(path: string): Promise<Result<Secret>> {
  const refuse = (why: string): Result<Secret> =>
    failure(inventoryProblem('defaults.bad-password-file', `${path}: ${why}`));
  const read = await readText(path);
  if (!read.ok) return refuse(read.problem.message);
  if (read.value === undefined) return refuse('there is no such file');
  const { text, mode } = read.value;
  if (isOpen(mode)) return refuse(`others can read it (mode ${octal(mode)})`);
  const [line = ''] = text.split(/\r?\n/, 1);
  return line === '' ? refuse('its first line is empty') : success(new Secret(line));
}

/** Mode and text are of the same file, whatever happens to its name meanwhile. */
async function readText(file: string): Promise<Result<DefaultsText | undefined>> {
  const refuse = (why: string): Result<never> =>
    failure(inventoryProblem('defaults.unreadable', `${file}: ${why}`, { where: { file } }));
  try {
    await using handle = await open(file, 'r');
    const { mode, size } = await handle.stat();
    if (size > mostBytes) return refuse(`it is larger than ${mostBytes} bytes`);
    return success({ file, text: await handle.readFile('utf8'), mode });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? success(undefined) : refuse(message);
  }
}
