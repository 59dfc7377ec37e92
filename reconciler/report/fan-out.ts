/**
 * Several sinks as one.
 * Invariant: every sink gets every event in order, whatever the others do.
 * Never lets a sink's failure reach the run.
 */

import type { EventSink, RunEvent } from '../base/event.ts';

/** One sink for all. `onFailure` hears of each sink that threw, with the event it threw at. */
export function fanOut(
  sinks: readonly EventSink[],
  onFailure: (error: unknown, event: RunEvent) => void = () => {},
): EventSink {
  return (event) => {
    for (const sink of sinks) {
      try {
        sink(event);
      } catch (error) {
        onFailure(error, event);
      }
    }
  };
}
