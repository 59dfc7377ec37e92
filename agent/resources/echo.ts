/**
 * `echo`: says something to whoever watches the run.
 * Invariant: never a change; what a dry run cannot know yet is printed as «unknown».
 * Never evaluates the text of a value.
 */

import type { Json } from '../protocol/json.ts';
import type { EchoShape } from '../protocol/shapes/control.ts';
import type { CheckContext, Resource } from './resource.ts';

/** Text and registered values in turn, reported as one line. */
export const echoResource: Resource<'echo'> = {
  async check(system, wanted, context) {
    system.report('stdout', `${messageText(wanted.message, context)}\n`);
    return [];
  },

  async apply() {
    return undefined;
  },
};

function messageText(message: EchoShape['message'], context: CheckContext): string {
  return message
    .map((part) => {
      if (typeof part === 'string') return part;
      const known = context.evaluate(part);
      return 'unknown' in known ? '«unknown»' : valueText(known.value);
    })
    .join('');
}

function valueText(value: Json | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
