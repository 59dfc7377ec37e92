/**
 * Answers what a server asks by keyboard-interactive: the password where a password is asked, a person for everything else.
 * Invariant: the password goes only to a prompt that asks for one without showing it, and only once; every request is answered.
 * Never shows a server's words unescaped: who asks the person does that.
 */

import type { KeyboardInteractiveCallback, Prompt } from 'ssh2';
import { openSecret } from '../../agent/protocol/secret.ts';
import type { ConnectionSpec } from '../../inventory/connection-spec.ts';
import type { Asker } from './asking.ts';

interface PromptContext {
  wait<T>(work: Promise<T>): Promise<T>;
  onUnanswered(prompt: string, reason: string): void;
}

type Account = Pick<ConnectionSpec, 'host' | 'address' | 'password'> & { readonly user: string };
type Answering = (
  name: string,
  instructions: string,
  language: string,
  prompts: Prompt[],
  finish: KeyboardInteractiveCallback,
) => void;

const passwordPrompt = /pass(word|wort|phrase)|kennwort|mot de passe|contraseña/i;
const oneTime = /one[- ]?time|verification|token|code|otp|factor/i;
const mostPrompts = 10;

/** Answers requests for one attempt to log in. */
export function answerPrompts(account: Account, asker: Asker, context: PromptContext): Answering {
  let isGiven = false;
  const answer = async (prompt: Prompt, remarks: readonly string[]): Promise<string> => {
    const text = cleaned(prompt.prompt);
    if (isForPassword(prompt)) {
      if (account.password !== undefined && !isGiven) {
        isGiven = true;
        return openSecret(account.password);
      }
      const reason = isGiven ? 'the password was refused' : 'no towline_ssh_password is set';
      context.onUnanswered(text, reason);
      return '';
    }
    const asked = asker.ask({
      prompt: `${account.user}@${account.host} asks: ${text.endsWith(' ') ? text : `${text} `}`,
      echo: prompt.echo === true,
      remarks,
    });
    const given = await context.wait(asked);
    if (given.kind === 'answered') return openSecret(given.text);
    context.onUnanswered(
      text,
      given.kind === 'nobody' ? `nobody can be asked: ${given.reason}` : 'no answer was given',
    );
    return '';
  };
  return (name, instructions, _language, prompts, finish) => {
    const remarks = [name, instructions].map(cleaned).filter((line) => line.trim() !== '');
    void (async () => {
      const answers: string[] = [];
      for (const prompt of prompts.slice(0, mostPrompts)) answers.push(await answer(prompt, remarks));
      finish(answers);
    })();
  };
}

function isForPassword({ prompt, echo }: Prompt): boolean {
  return echo !== true && passwordPrompt.test(prompt) && !oneTime.test(prompt);
}

/** One line of what a server says, without what could steer a terminal. */
function cleaned(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 300);
}
