/**
 * A program that stands where a host's Node should be and says what a script tells it, in real frames.
 * Invariant: messages go out as the script has them, but for what makes them answers: id, run, key, digest and mode.
 * Never used outside tests; bundled by hostile-runtime.ts.
 */

import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { encodeFrame, FrameDecoder, frameTypes } from '../../agent/protocol/frame.ts';
import { PROTOCOL_VERSION } from '../../agent/protocol/version.ts';

type Loose = Record<string, unknown>;

/** What it says: at first, and when it is asked to do something. */
export interface HostileScript {
  readonly hello: object;
  readonly converge: readonly object[];
  readonly exec: readonly object[];
  readonly facts: readonly object[];
  /** Said on its standard error at once. */
  readonly stderr: string;
}

/** Where the script is; put in by the bundler. */
declare const SCRIPT_FILE: string;

const script = JSON.parse(readFileSync(SCRIPT_FILE, 'utf8')) as HostileScript;

function say(message: object): void {
  for (const part of encodeFrame(frameTypes.message, Buffer.from(JSON.stringify(message))))
    process.stdout.write(part);
}

function answer(said: object, asked: Loose): void {
  const message: Loose = { ...said, id: asked.id };
  const { key, run, digest, mode } = asked;
  if (message.type === 'converged') message.result = { ...(message.result as Loose), key, run, digest, mode };
  say(message);
}

function take(asked: Loose): void {
  if (asked.type === 'ping') say({ type: 'pong', id: asked.id });
  if (asked.type === 'close') process.exit(0);
  if (asked.type !== 'converge' && asked.type !== 'exec' && asked.type !== 'facts') return;
  for (const said of script[asked.type]) answer(said, asked);
}

const decoder = new FrameDecoder();
process.stdin.on('data', (bytes: Buffer) => {
  for (const { type, body } of decoder.push(bytes)) {
    if (type === frameTypes.message) take(JSON.parse(body.toString()));
    if (type === frameTypes.deflated) take(JSON.parse(inflateRawSync(body).toString()));
  }
});
process.stdin.on('end', () => process.exit(0));
process.stderr.write(script.stderr);
say({ ...script.hello, protocol: PROTOCOL_VERSION, journal: [] });
