/**
 * -e/--extra-vars: `key=value` words or `@file` with JSON or TOML; later ones come before earlier ones.
 * Invariant: a value is a number, true, false, or text, as in the inventory's short form; problems name the argument.
 * Reads the named files and nothing else.
 */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type { Json } from '../../agent/protocol/json.ts';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { typedText } from '../../inventory/host-string.ts';
import { cliProblem } from '../base/problem-codes/cli.ts';

/** The variables that a list of arguments gives. */
export async function readExtraVariables(
  args: readonly string[],
  directory: string,
): Promise<Result<Readonly<Record<string, Json>>>> {
  const variables: Record<string, Json> = {};
  for (const arg of args) {
    const read = arg.startsWith('@') ? await readVariableFile(arg.slice(1), directory) : parseWord(arg);
    if (!read.ok) return read;
    Object.assign(variables, read.value);
  }
  return success(variables);
}

function parseWord(word: string): Result<Record<string, Json>> {
  const cut = word.indexOf('=');
  if (cut < 1)
    return failure(cliProblem('cli.bad-option', `--extra-vars ${word}: a variable is given as name=value`));
  return success({ [word.slice(0, cut)]: typedText(word.slice(cut + 1)) });
}

async function readVariableFile(path: string, directory: string): Promise<Result<Record<string, Json>>> {
  try {
    const text = await readFile(resolve(directory, path), 'utf8');
    const value: unknown = path.endsWith('.json')
      ? JSON.parse(text)
      : JSON.parse(JSON.stringify(parse(text)));
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('its top is no table');
    return success(value as Record<string, Json>);
  } catch (error) {
    return failure(
      cliProblem('cli.bad-option', `--extra-vars @${path}: ${whatIsWrong(error as Error)}`, {
        where: { file: path, ...(error instanceof TomlError && { line: error.line, column: error.column }) },
      }),
    );
  }
}

/** Parsers quote the text around a mistake; it may be a password, so it is not repeated. */
function whatIsWrong(error: Error): string {
  if (error instanceof SyntaxError) return 'it is not JSON';
  return error instanceof TomlError ? 'it is not TOML' : error.message;
}
