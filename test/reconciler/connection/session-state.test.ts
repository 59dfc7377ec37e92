import { describe, expect, it } from 'vitest';
import { connectionProblem } from '../../../reconciler/base/problem-codes/connection.ts';
import {
  nextState,
  type SessionEvent,
  type SessionState,
} from '../../../reconciler/connection/session-state.ts';

const first = connectionProblem('line.lost', 'first');
const second = connectionProblem('line.silent', 'second');
const hello: SessionEvent = { name: 'hello' };
const close: SessionEvent = { name: 'close', reason: 'done' };
const lost: SessionEvent = { name: 'lost', problem: first };

function stateAfter(...events: readonly SessionEvent[]): SessionState | undefined {
  return events.reduce<SessionState | undefined>(
    (state, event) => (state === undefined ? undefined : nextState(state, event)),
    { name: 'handshaking' },
  );
}

describe('the life of a session', () => {
  it('opens with hello, closes, and ends without a problem', () => {
    expect(stateAfter(hello)).toEqual({ name: 'open' });
    expect(stateAfter(hello, close)).toEqual({ name: 'closing', reason: 'done' });
    expect(stateAfter(close)).toEqual({ name: 'closing', reason: 'done' });
    expect(stateAfter(hello, close, close, lost)).toEqual({ name: 'ended', problem: undefined });
  });

  it('keeps the first reason of an end', () => {
    expect(stateAfter(lost)).toEqual({ name: 'ended', problem: first });
    expect(stateAfter(hello, lost, { name: 'lost', problem: second }, close)).toEqual({
      name: 'ended',
      problem: first,
    });
  });

  it('has no place for a second hello', () => {
    expect(stateAfter(hello, hello)).toBeUndefined();
    expect(stateAfter(hello, close, hello)).toBeUndefined();
    expect(stateAfter(lost, hello)).toBeUndefined();
  });
});
