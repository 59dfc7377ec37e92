/**
 * The agent's side of the line under a reconciler that is garbled, out of order or not one at all: a host must not be harmed by it.
 * Invariant of every case: the session ends by itself or with its input, what it says are whole valid frames, its problem has a known
 * code, and nothing but its own places was written.
 * TOWLINE_FUZZ_SEED repeats a run, TOWLINE_FUZZ_CASE one case of it.
 */

import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { decodeMessage } from '../../agent/protocol/codec.ts';
import {
  encodeChunk,
  encodeFrame,
  encodeStream,
  FrameDecoder,
  type FrameType,
  frameTypes,
} from '../../agent/protocol/frame.ts';
import { type AgentMessage, agentMessageSchema } from '../../agent/protocol/message.ts';
import { runSession } from '../../agent/session.ts';
import { agentProblems } from '../../reconciler/base/problem-codes/agent.ts';
import { type Seeded, seeded } from '../helpers/seeded.ts';
import { temporaryDirectories } from '../helpers/temporary-directory.ts';
import { mutated } from './hostile-moves.ts';

const seed = Number(process.env.TOWLINE_FUZZ_SEED ?? 20_261_122);
const only = process.env.TOWLINE_FUZZ_CASE;
const cases = 1500;
const together = 25;
const directories = temporaryDirectories();

/** What a reconciler says. None of it acts on the machine, whatever is changed in it: plans are empty, programs do nothing. */
const said: readonly object[] = [
  { type: 'exec', id: 1, argv: ['true'], timeout: 5 },
  { type: 'open', id: 2, argv: ['cat'] },
  { type: 'window', id: 2, channel: 1, bytes: 10 },
  { type: 'shut', id: 2, how: 'kill' },
  { type: 'cancel', id: 1, reason: 'enough' },
  {
    type: 'refuse',
    sha256: 'a'.repeat(64),
    problem: { code: 'blob.missing', disposition: 'retry', message: '', hint: '' },
  },
  { type: 'credit', bytes: 1000 },
  { type: 'recorded', runs: ['run-1'] },
  { type: 'ping', id: 3 },
  { type: 'pong', id: 3 },
  { type: 'close', reason: 'done' },
  { type: 'welcome', heartbeat: 60, credit: 1000 },
  {
    ...{ type: 'converge', id: 4, mode: 'check', run: 'run-2', key: 'test/web', digest: 'd', lockWait: 0 },
    plan: { whole: { environment: 'test', host: 'here', role: 'web', resources: [], handlers: [] } },
    inline: ['b'.repeat(64)],
  },
  {
    type: 'converge',
    id: 5,
    mode: 'check',
    run: 'run-3',
    key: 'test/web',
    digest: 'd',
    plan: { held: true },
  },
  {
    ...{ type: 'converge', id: 6, mode: 'check', run: 'run-4', key: 'test/web', digest: 'e' },
    plan: { delta: { base: 'd', resources: [[0, 1]], handlers: [] } },
  },
];

const frame = (type: number, body: Buffer): Buffer => Buffer.concat(encodeFrame(type as FrameType, body));
const encoded = (message: object): Buffer => frame(frameTypes.message, Buffer.from(JSON.stringify(message)));

function move(random: Seeded): Buffer {
  const message = structuredClone(random.pick(said));
  switch (random.below(9)) {
    case 0:
      return random.bytes(1 + random.below(60));
    case 1:
      return frame(random.pick([1, 2, 3, 4]), random.bytes(random.below(60)));
    case 2:
      return Buffer.concat(
        encodeChunk({
          sha256: random.pick(['a', 'b']).repeat(64),
          offset: random.below(3),
          bytes: random.bytes(5),
        }),
      );
    case 3:
      return Buffer.concat(
        encodeStream({ id: random.below(4), channel: random.below(4), bytes: random.bytes(random.below(9)) }),
      );
    case 4:
    case 5:
      return encoded(mutated(message, random));
    default:
      return encoded(message);
  }
}

async function runCase(random: Seeded, folder: string): Promise<void> {
  mkdirSync(folder);
  const input = new PassThrough();
  const output = new PassThrough();
  const messages: AgentMessage[] = [];
  const decoder = new FrameDecoder();
  output.on('data', (bytes: Buffer) => {
    for (const each of decoder.push(bytes))
      if (each.type !== frameTypes.stream) messages.push(decodeMessage(each, agentMessageSchema));
  });
  const places = { lock: join(folder, 'lock'), journal: join(folder, 'journal') };
  const closed = runSession({
    ...{ input, output, agent: 'digest', pid: 1, node: 'v0', welcomeWithin: 20_000 },
    places: { ...places, cache: join(folder, 'cache') } as typeof places,
    now: () => performance.now(),
    date: () => new Date().toISOString(),
  });
  if (!random.oneIn(8)) input.write(encoded({ type: 'welcome', heartbeat: 60, credit: 1000 }));
  for (let count = random.below(8); count >= 0; count -= 1) {
    input.write(move(random));
    if (random.oneIn(3)) await turn();
  }
  input.end();
  await closed;
  expect(decoder.buffered).toBe(0);
  const goodbye = messages.find((message) => message.type === 'goodbye');
  if (goodbye === undefined) throw new Error('it went away without a word');
  if (goodbye.problem !== undefined) expect(Object.keys(agentProblems)).toContain(goodbye.problem.code);
  for (const name of readdirSync(folder)) expect(['lock', 'journal', 'cache']).toContain(name);
}

it(`leaves hosts unharmed under ${cases} garbled reconcilers`, { timeout: 300_000 }, async () => {
  const thrown: unknown[] = [];
  const note = (error: unknown): void => void thrown.push(error);
  process.on('uncaughtException', note).on('unhandledRejection', note);
  const numbers = only === undefined ? Array.from({ length: cases }, (_, index) => index) : [Number(only)];
  const root = directories();
  try {
    for (let at = 0; at < numbers.length; at += together) {
      const batch = numbers.slice(at, at + together).map((number) =>
        runCase(seeded(seed + number * 7919), join(root, String(number))).catch((error: unknown) => {
          throw new Error(`TOWLINE_FUZZ_SEED=${seed} TOWLINE_FUZZ_CASE=${number}`, { cause: error });
        }),
      );
      await Promise.all(batch);
      expect(thrown, `TOWLINE_FUZZ_SEED=${seed}, cases from ${at}`).toEqual([]);
    }
  } finally {
    process.off('uncaughtException', note).off('unhandledRejection', note);
  }
});
