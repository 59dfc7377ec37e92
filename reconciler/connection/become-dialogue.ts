/**
 * Answers the one question that sudo, su or doas may ask before the agent runs.
 * Invariant: the password is written at most once, only after the program's own prompt; a second prompt is a refusal.
 * Never waits for an answer that nobody can give.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { BecomeSpec } from '../../inventory/connection-spec.ts';
import { connectionProblem } from '../base/problem-codes/connection.ts';
import { type BecomePlan, becomeRefusal } from './become.ts';
import type { RemoteProcess } from './line.ts';

export interface BecomeDialogue {
  /** Settles when the program asked what has no answer. */
  readonly refused: Promise<{ readonly name: 'refused'; readonly problem: Problem }>;
  stop(): void;
}

/** Bytes of what was said that are kept to find a prompt in. */
const kept = 4096;

/** Listens for prompts until stopped. */
export function answerPrompt(
  process: Pick<RemoteProcess, 'stdin' | 'stdout' | 'stderr'>,
  { spec, plan }: { readonly spec: BecomeSpec; readonly plan: BecomePlan },
): BecomeDialogue {
  const { promise, resolve } = Promise.withResolvers<Awaited<BecomeDialogue['refused']>>();
  const { prompt } = plan;
  if (prompt === undefined) return { refused: promise, stop: () => {} };
  const stream = plan.pty ? process.stdout : process.stderr;
  let text = '';
  let answered = false;
  const listen = (bytes: Buffer): void => {
    text = (text + bytes.toString('latin1')).slice(-kept);
    if (!prompt.test(text)) return;
    if (!answered && spec.password !== undefined) process.stdin.write(`${openSecret(spec.password)}\n`);
    else resolve({ name: 'refused', problem: unanswerable(spec, answered ? text : undefined) });
    answered = true;
    text = '';
  };
  stream.on('data', listen);
  return { refused: promise, stop: () => stream.off('data', listen) };
}

/** Asked without a password to give, or once more after it was given. */
function unanswerable(spec: BecomeSpec, saidSince: string | undefined): Problem {
  const who = `${spec.method} to ${spec.user}`;
  if (saidSince === undefined)
    return connectionProblem('become.password-required', `${who}: it asks for a password, and none is set`);
  const refusal = becomeRefusal(spec, saidSince, null);
  if (refusal?.code === 'become.account-expired') return refusal;
  return connectionProblem(
    'become.wrong-password',
    `${who}: the password was not accepted; it is asked for again`,
  );
}
