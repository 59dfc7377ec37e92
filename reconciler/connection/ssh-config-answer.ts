/**
 * What OpenSSH's configuration says of one host, in the form of `ssh -G`: asked of ssh itself, or worked out for Host blocks alone.
 * Invariant: few programs run at once and each has a deadline; equal questions share an answer.
 * Never a shell, and never more of an answer than differs from what ssh does without a configuration.
 */

import { execFile } from 'node:child_process';
import { failure, type Result, success } from '../../agent/protocol/problem.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { Gate } from './gate.ts';
import { applies, type Statement } from './ssh-config-file.ts';

/** Keyword in lower case → its values; only what the configuration said. */
export type ConfigAnswer = ReadonlyMap<string, readonly string[]>;

export interface ConfigQuestion {
  /** As one would type it after `ssh`. */
  readonly name: string;
  /** Only what does not come from the configuration. */
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  /** A jump of the configuration does not count. */
  readonly direct: boolean;
}

const atOnce = 4;
const deadline = 10_000;

/** Asks `ssh -G`. */
export class SshProgram {
  readonly #program: string;
  readonly #file: string | undefined;
  readonly #gate = new Gate(atOnce);
  #builtIn: Promise<Result<ConfigAnswer>> | undefined;

  /** `file` instead of the files that ssh reads by itself. */
  constructor(program: string, file: string | undefined) {
    this.#program = program;
    this.#file = file;
  }

  /** What the configuration says; undefined when there is no ssh here. */
  async ask(question: ConfigQuestion): Promise<Result<ConfigAnswer | undefined>> {
    this.#builtIn ??= this.#run(['-F', 'none', '--', 'host']);
    const builtIn = await this.#builtIn;
    if (!builtIn.ok) {
      this.#builtIn = undefined;
      return builtIn.problem.code === 'ssh.config-no-program' ? success(undefined) : builtIn;
    }
    const { name, user, port, direct } = question;
    const answer = await this.#run([
      ...(this.#file === undefined ? [] : ['-F', this.#file]),
      ...(user === undefined ? [] : ['-l', user]),
      ...(port === undefined ? [] : ['-p', String(port)]),
      ...(direct ? ['-o', 'ProxyJump=none'] : []),
      '--',
      name,
    ]);
    return answer.ok ? success(difference(answer.value, builtIn.value, question)) : answer;
  }

  #run(args: readonly string[]): Promise<Result<ConfigAnswer>> {
    return this.#gate.pass(() => {
      const { promise, resolve } = Promise.withResolvers<Result<ConfigAnswer>>();
      const options = { timeout: deadline, maxBuffer: 4_000_000, encoding: 'utf8' } as const;
      const child = execFile(this.#program, ['-G', ...args], options, (error, stdout, stderr) => {
        if (error === null) return resolve(success(parseAnswer(stdout)));
        const code = error.code as unknown;
        if (code === 'ENOENT' || code === 'EACCES') return resolve(noProgram(String(code)));
        const late = error.killed === true ? `no answer within ${deadline / 1000} s` : undefined;
        const said = late ?? (saidBy(stderr) || error.message);
        resolve(failure(connectionProblem('ssh.config-invalid', `ssh -G ${args.at(-1)}: ${said}`)));
      });
      child.stdin?.end();
      return promise;
    });
  }
}

/** What Host blocks say when there is no ssh to ask; undefined when it takes an ssh to tell. */
export function answerOfBlocks(
  statements: readonly Statement[],
  { name }: ConfigQuestion,
): ConfigAnswer | undefined {
  const answer = new Map<string, string[]>();
  for (const statement of statements) {
    const { keyword, args } = statement;
    const answers = applies(statement, name);
    if (answers === 'no') continue;
    if (answers === 'perhaps' || keyword.startsWith('canonicalize')) return undefined;
    const before = answer.get(keyword);
    if (before !== undefined && !repeated.has(keyword)) continue;
    answer.set(keyword, [...new Set([...(before ?? []), plainValue(keyword, args, name)])]);
  }
  for (const [keyword, values] of answer)
    if (values[0] === 'none' && proxies.has(keyword)) answer.delete(keyword);
  return answer;
}

const repeated = new Set(['identityfile', 'certificatefile']);
const proxies = new Set(['proxyjump', 'proxycommand']);
const seconds = { '': 1, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;

function plainValue(keyword: string, args: readonly string[], name: string): string {
  const text = args.join(' ');
  switch (keyword) {
    case 'hostname':
      return text.replaceAll('%h', name).replaceAll('%%', '%');
    case 'stricthostkeychecking':
      return { yes: 'true', no: 'false', off: 'false' }[text.toLowerCase()] ?? text.toLowerCase();
    case 'identitiesonly':
    case 'hashknownhosts':
      return { true: 'yes', false: 'no' }[text.toLowerCase()] ?? text.toLowerCase();
    case 'connecttimeout':
    case 'serveraliveinterval': {
      const parts = [...text.toLowerCase().matchAll(/(\d+)([smhdw]?)/g)];
      return String(
        parts.reduce((sum, [, n, unit]) => sum + Number(n) * seconds[unit as keyof typeof seconds], 0),
      );
    }
    default:
      return text;
  }
}

function parseAnswer(text: string): ConfigAnswer {
  const answer = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space === -1) continue;
    const keyword = line.slice(0, space).toLowerCase();
    answer.set(keyword, [...(answer.get(keyword) ?? []), line.slice(space + 1)]);
  }
  return answer;
}

/** What the configuration changed. The name alone gives `host` and `hostname`, in lower case. */
function difference(answer: ConfigAnswer, builtIn: ConfigAnswer, { name }: ConfigQuestion): ConfigAnswer {
  const said = [...answer].filter(([keyword, values]) => {
    if (keyword === 'host') return false;
    if (keyword === 'hostname') return values[0]?.toLowerCase() !== name.toLowerCase();
    return values.join('\n') !== builtIn.get(keyword)?.join('\n');
  });
  return new Map(said);
}

function saidBy(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('Pseudo-terminal'));
  return lines.slice(0, 3).join('; ').slice(0, 500);
}

function noProgram(code: string): Result<never> {
  return failure(connectionProblem('ssh.config-no-program', `no ssh program can be run (${code})`));
}
