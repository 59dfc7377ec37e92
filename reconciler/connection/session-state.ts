/**
 * The life of a session with an agent, as data.
 *
 *   handshaking ──hello──► open ──close──► closing ──gone──► ended
 *        └───────────────────┴──lost──────────┴──lost──────────┘
 *
 * Invariant: the first reason stays; nothing leads out of `ended`; a session closed from here ends without a problem.
 * Pure.
 */

import type { Problem } from '../../agent/protocol/problem.ts';

export type SessionState =
  | { readonly name: 'handshaking' }
  | { readonly name: 'open' }
  | { readonly name: 'closing'; readonly reason: string }
  | { readonly name: 'ended'; readonly problem: Problem | undefined };

export type SessionEvent =
  | { readonly name: 'hello' }
  | { readonly name: 'close'; readonly reason: string }
  /** The streams ended, or something happened after which they must. */
  | { readonly name: 'lost'; readonly problem: Problem };

/** The state after an event; undefined when the event has no place in the state. */
export function nextState(state: SessionState, event: SessionEvent): SessionState | undefined {
  switch (state.name) {
    case 'handshaking':
      if (event.name === 'hello') return { name: 'open' };
      return event.name === 'lost' ? { name: 'ended', problem: event.problem } : closing(event.reason);
    case 'open':
      if (event.name === 'hello') return undefined;
      return event.name === 'lost' ? { name: 'ended', problem: event.problem } : closing(event.reason);
    case 'closing':
      if (event.name === 'hello') return undefined;
      return event.name === 'lost' ? { name: 'ended', problem: undefined } : state;
    case 'ended':
      return event.name === 'hello' ? undefined : state;
    default:
      return state satisfies never;
  }
}

function closing(reason: string): SessionState {
  return { name: 'closing', reason };
}
