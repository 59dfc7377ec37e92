/**
 * Output arrives in pieces, and a secret may be cut in two: the end of a piece that could begin a secret waits for the next piece.
 * Invariant: what is passed on never ends inside a secret; nothing is lost and the order per host stays.
 * Holds at most a bounded number of characters of a stream, and streams of a host.
 */

import type { EventSink, RunEvent } from '../base/event.ts';
import type { SecretRegistry } from './secret-registry.ts';

type HostEvent = Extract<RunEvent, { type: 'host-event' }>;
type OutputEvent = HostEvent & { readonly event: { readonly event: 'output' } };

const mostHeld = 64 * 1024;
/** Streams of one host that may wait at once; an honest one has two at a time. */
const mostStreams = 16;

/** A sink that passes everything on, output in pieces that end outside of secrets. */
export function holdOpenOutput(registry: SecretRegistry, next: EventSink): EventSink {
  const held = new Map<string, Map<string, OutputEvent>>();
  const release = (host: string): void => {
    const streams = held.get(host);
    held.delete(host);
    for (const event of streams?.values() ?? []) next(event);
  };
  return (event) => {
    if (isOutput(event)) return take(event);
    if (event.type === 'run-finished') for (const host of [...held.keys()]) release(host);
    else if ('host' in event) release(hostKey(event));
    next(event);
  };

  function take(event: OutputEvent): void {
    const { resource, stream, text } = event.event;
    const streams = held.get(hostKey(event)) ?? new Map<string, OutputEvent>();
    const key = `${resource}\n${stream}`;
    const whole = (streams.get(key)?.event.text ?? '') + text;
    const cut = cutOutsideSecrets(whole, registry);
    streams.delete(key);
    if (cut < whole.length) streams.set(key, withText(event, whole.slice(cut)));
    held.set(hostKey(event), streams);
    for (const [oldest, waiting] of streams) {
      if (streams.size <= mostStreams) break;
      streams.delete(oldest);
      next(waiting);
    }
    if (cut > 0) next(withText(event, whole.slice(0, cut)));
  }
}

function isOutput(event: RunEvent): event is OutputEvent {
  return event.type === 'host-event' && event.event.event === 'output';
}

function hostKey(event: { readonly run: string; readonly host: string }): string {
  return `${event.run}\n${event.host}`;
}

function withText(event: OutputEvent, text: string): OutputEvent {
  return { ...event, event: { ...event.event, text } };
}

/** Where a text may be cut: before a possible beginning of a secret, and never inside a whole one. */
function cutOutsideSecrets(text: string, registry: SecretRegistry): number {
  const cut = text.length - registry.openEnd(text);
  const across = registry.find(text).find(({ start, end }) => start < cut && cut < end);
  const outside = across === undefined ? cut : across.start;
  return text.length - outside > mostHeld ? text.length : outside;
}
