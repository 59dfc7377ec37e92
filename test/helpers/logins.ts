/**
 * What tests of authentication share: who answers questions, options of ssh, and one login.
 * Invariant: a login ends its connection; nobody is asked but the script.
 * Never used outside tests.
 */

import type { Problem } from '../../agent/protocol/problem.ts';
import { Secret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { Answer, Asker, Question } from '../../reconciler/connection/asking.ts';
import type { CredentialSources } from '../../reconciler/connection/own-credentials.ts';
import { Passphrases } from '../../reconciler/connection/passphrases.ts';
import { connectSsh, type SshOptions } from '../../reconciler/connection/ssh.ts';
import { testPoolOptions } from './lines.ts';

/** Answers from a list, and remembers the questions. */
export class ScriptedAsker implements Asker {
  readonly questions: Question[] = [];
  readonly #answers: (string | Answer)[];

  constructor(...answers: (string | Answer)[]) {
    this.#answers = answers;
  }

  async ask(question: Question): Promise<Answer> {
    this.questions.push(question);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const answer = this.#answers.shift() ?? { kind: 'declined' as const };
    return typeof answer === 'string' ? { kind: 'answered', text: new Secret(answer) } : answer;
  }
}

/** A host on this machine whose key does not matter. */
export const looseSpec: ConnectionSpec = {
  kind: 'ssh',
  host: 'web1',
  address: '127.0.0.1',
  port: 22,
  user: 'me',
  hostKeys: 'ignore',
  pinnedKeys: [],
};

/** Options of ssh with these credentials and no others. */
export function optionsWith(
  sources: Partial<CredentialSources>,
  deadlines: Partial<SshOptions['deadlines']> = {},
): SshOptions {
  const { ssh } = testPoolOptions('/nonexistent/known_hosts');
  return {
    ...ssh,
    credentials: { defaultKeys: [], ...sources },
    deadlines: { ...ssh.deadlines, ...deadlines },
  };
}

/** The problem of a login, or undefined when it worked. */
export async function login(spec: ConnectionSpec, ssh: SshOptions): Promise<Problem | undefined> {
  const opened = await connectSsh(spec, ssh);
  if (!opened.ok) return opened.problem;
  opened.value.end('the test is over');
  await opened.value.ended;
  return undefined;
}

/** Somebody who answers, for passphrases and prompts alike. */
export function asking(asker: Asker): Partial<CredentialSources> {
  return { asker, passphrases: new Passphrases(asker) };
}
