/**
 * Asks the person at the terminal: one question at a time, secrets without showing them.
 * Invariant: only where input and output are a terminal and nobody asked for JSON; the terminal is as before when it ends.
 * Never shows what came from a host as it came.
 */

import { StringDecoder } from 'node:string_decoder';
import { Secret } from '../../agent/protocol/secret.ts';
import { type Answer, type Asker, nobodyToAsk, type Question } from '../connection/asking.ts';
import { chooseStyle } from '../report/style.ts';
import type { TerminalInput } from '../report/terminal.ts';
import type { Options, Surroundings } from './command.ts';

/** Who answers in an invocation; `hold` stills what else draws on the terminal until its result is called. */
export function createAsker(
  surroundings: Surroundings,
  options: Pick<Options, 'json' | 'color'>,
  hold: () => () => void = () => () => {},
): Asker {
  const { stdin, stderr, environment } = surroundings;
  if (options.json) return nobodyToAsk('--json is for programs');
  if (stdin?.isTTY !== true || stderr.isTTY !== true) return nobodyToAsk('there is no terminal');
  const style = chooseStyle({ environment, terminal: true, colour: options.color });
  let last: Promise<unknown> = Promise.resolve();
  const ask = async ({ prompt, echo, remarks = [] }: Question): Promise<Answer> => {
    const release = hold();
    try {
      const said = remarks.map((remark) => `${style.paint('dim', style.clean(remark))}\n`);
      const question = said.join('') + style.paint('strong', style.clean(prompt));
      const line = await readLine(surroundings, stdin, { question, echo });
      stderr.write('\n');
      return line === undefined ? { kind: 'declined' } : { kind: 'answered', text: new Secret(line) };
    } finally {
      release();
    }
  };
  return {
    ask: (question) => {
      const answer = last.then(() => ask(question));
      last = answer.catch(() => {});
      return answer;
    },
  };
}

const keys = {
  interrupt: '\u0003',
  end: '\u0004',
  backspace: '\u007f',
  delete: '\b',
  kill: '\u0015',
} as const;

/** A line typed at the terminal; undefined when the person gave up. */
function readLine(
  { stderr, interrupted, interrupt }: Surroundings,
  stdin: TerminalInput,
  { question, echo }: { readonly question: string; readonly echo: boolean },
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const decoder = new StringDecoder('utf8');
  let typed: string[] = [];
  const show = (text: string): void => {
    if (echo) stderr.write(text);
  };
  const erase = (count: number): void => {
    show('\b \b'.repeat(Math.min(count, typed.length)));
    typed = typed.slice(0, Math.max(0, typed.length - count));
  };
  const finish = (answer: string | undefined): void => {
    stdin.off('data', onData);
    interrupted.removeEventListener('abort', giveUp);
    stdin.setRawMode?.(false);
    stdin.pause();
    resolve(answer);
  };
  const giveUp = (): void => finish(undefined);
  const take = (key: string): boolean => {
    if (key === '\r' || key === '\n') finish(typed.join(''));
    else if (key === keys.interrupt) interrupt?.();
    else if (key === keys.backspace || key === keys.delete) erase(1);
    else if (key === keys.kill) erase(typed.length);
    else if (key !== keys.end && key >= ' ') {
      typed.push(key);
      show(key);
    }
    const isOver = key === keys.interrupt || (key === keys.end && typed.length === 0);
    if (isOver) giveUp();
    return isOver || key === '\r' || key === '\n';
  };
  const onData = (bytes: Buffer): void => {
    const text = decoder.write(bytes).replace(escapeSequence, '');
    for (const key of text) if (take(key)) return;
  };
  if (interrupted.aborted) return Promise.resolve(undefined);
  interrupted.addEventListener('abort', giveUp);
  stdin.setRawMode?.(true);
  stdin.on('data', onData);
  stdin.resume();
  // Not before: the terminal itself would show what is typed as soon as the question can be read.
  stderr.write(question);
  return promise;
}

/** Arrows, function keys and the brackets around what is pasted. */
const escapeSequence = new RegExp(`${String.fromCharCode(27)}(?:\\[[0-9;?]*[ -/]*[@-~]|O.)`, 'g');
