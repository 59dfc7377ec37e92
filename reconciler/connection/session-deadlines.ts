/**
 * How long each wait in a session may take.
 * Invariant: every kind of call has its limit here, but a converge, which the heartbeat watches.
 * Never decides what happens when one is over.
 */

/** Milliseconds. */
export interface SessionDeadlines {
  readonly hello: number;
  readonly heartbeat: number;
  readonly facts: number;
  readonly ping: number;
  /** Added to what an exec asks for itself. */
  readonly grace: number;
  /** Given to a call that was cancelled: with closing, an end asked for takes at most five seconds. */
  readonly cancel: number;
  readonly close: number;
}

export const sessionDeadlines: SessionDeadlines = {
  hello: 15_000,
  heartbeat: 5_000,
  facts: 60_000,
  ping: 15_000,
  grace: 15_000,
  cancel: 1_500,
  close: 3_000,
};
