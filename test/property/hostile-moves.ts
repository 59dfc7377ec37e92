/**
 * What a hostile agent may do next, as bytes: valid messages out of place, broken ones, and frames that are none.
 * Invariant: the choices of a case depend on its seed only.
 * Test code; knows the protocol, never the controller.
 */

import { deflateRawSync } from 'node:zlib';
import {
  encodeChunk,
  encodeFrame,
  encodeStream,
  type FrameType,
  frameTypes,
  streamWindow,
} from '../../agent/protocol/frame.ts';
import { type AgentMessage, agentMessageSchema } from '../../agent/protocol/message.ts';
import { schemaSamples } from '../helpers/schema-samples.ts';
import type { Seeded } from '../helpers/seeded.ts';
import { plainHello } from '../helpers/simulated-agent.ts';

/** What the controller asked, as far as an agent would know it. */
export interface Asked {
  readonly key: string;
  readonly run: string;
  readonly digest: string;
  /** Content of the plan, and content of another host's plan. */
  readonly own: { readonly sha256: string; readonly size: number };
  readonly foreign: string;
}

type Loose = { [name: string]: unknown };

const wordChoices = [0, 1, 2, 3, 4].map(
  (index) => (words: readonly unknown[]) => words[index % words.length],
);
const samples: readonly AgentMessage[] = wordChoices.flatMap((word) =>
  schemaSamples(agentMessageSchema, { text: () => 'text', word }),
);

const strange: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1e308, -1e308, 2 ** 53, Number.MIN_VALUE, '', 'x', '\0', '\ud800'],
  ...[[], {}, [[]], { length: 5 }, { __proto__: null }, 'constructor', '__proto__', 'x'.repeat(70_000)],
  ...[
    '\u001b]0;x\u0007',
    Array.from({ length: 300 }, (_, index) => index),
    { toJSON: 1, toString: 1, valueOf: 1 },
  ],
];
const strangeNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', 'type', 'then'];
/** Texts of JSON that no value of ours has. */
const strangeTexts = [
  ...[
    '',
    ' ',
    'null',
    '[]',
    '"ping"',
    'NaN',
    '{"type":"ping","id":NaN}',
    '{"type":"ping","id":1e999}',
    '{"type"',
  ],
  ...[
    '{"type":"ping","type":"pong","id":1,"id":"2"}',
    '\ufeff{"type":"ping","id":1}',
    '{"type":"ping","id":1}}',
  ],
  ...['{"__proto__":{"type":"ping"},"id":1}', '{"type":["ping"],"id":1}', '{"type":{"toString":1},"id":1}'],
  ...[nested('[', ']', 3000), `{"type":"ping","id":1,"deep":${nested('{"a":', '}', 3000, '1')}}`],
  `{"type":"goodbye","problem":${nested('{"code":"a","disposition":"retry","message":"","hint":"","cause":', '}', 800, 'null')}}`,
];

function nested(open: string, close: string, times: number, core = ''): string {
  return open.repeat(times) + core + close.repeat(times);
}

/** A small frame that inflates to almost what a frame may hold. */
const bomb = frame(
  frameTypes.deflated,
  deflateRawSync(`{"type":"ping","id":1,"nothing":"${'x'.repeat(4 * 1024 * 1024)}"}`),
);

function frame(type: number, body: Buffer): Buffer {
  return Buffer.concat(encodeFrame(type as FrameType, body));
}

function textFrame(text: string, random: Seeded): Buffer {
  const body = Buffer.from(text);
  return random.oneIn(4) ? frame(frameTypes.deflated, deflateRawSync(body)) : frame(frameTypes.message, body);
}

function encoded(message: object): Buffer {
  return frame(frameTypes.message, Buffer.from(JSON.stringify(message)));
}

/** A message of the agent, valid and mostly about a call there is. */
function message(random: Seeded, asked: Asked): AgentMessage {
  const sample = structuredClone(random.pick(samples)) as AgentMessage & Loose;
  if ('id' in sample)
    (sample as Loose).id = random.oneIn(4) ? random.pick([0, 3, -1, 0.5, 2 ** 53]) : 1 + random.below(2);
  if (sample.type === 'converged' && !random.oneIn(4)) {
    const { key, run, digest } = asked;
    Object.assign(sample.result, { key, run, digest });
  }
  if (sample.type === 'need') {
    const range = random.pick([
      ...[
        [0, asked.own.size],
        [0, 1],
        [0, 0],
        [asked.own.size, 0],
        [0, asked.own.size + 1],
        [-1, 1],
        [0, -1],
      ],
      ...[
        [0.5, 1],
        [0, 0.5],
        [2 ** 53, 2 ** 53],
        [1e308, 1e308],
      ],
    ]);
    const sha256 = random.oneIn(4) ? asked.foreign : asked.own.sha256;
    Object.assign(sample, { sha256, offset: range[0], bytes: range[1] });
  }
  if (sample.type === 'hello') Object.assign(sample, plainHello());
  return sample;
}

/** A fresh copy, so that what one case does to it no other case sees. */
function strangeValue(random: Seeded): unknown {
  return structuredClone(random.pick(strange));
}

function output(random: Seeded, length: number): Buffer {
  const part = {
    id: random.pick([1, 1, 1, 2, 7]),
    channel: random.pick([1, 1, 2, 0, 3]),
    bytes: Buffer.alloc(length, 'x'),
  };
  return Buffer.concat(encodeStream(part));
}

/** What an honest agent could say to a converge, an exec or a program with id 1, a ping with id 2 and a question for facts with id 3. */
function fitting(random: Seeded, { key, run, digest, own }: Asked): Buffer {
  const output = { event: 'output', resource: 'file:/x', stream: 'stdout', text: 'some text' };
  const outcomes = { unchanged: 0, changed: 0, failed: 0, skipped: 0, unknown: 0 };
  const result = {
    key,
    run,
    digest,
    mode: 'apply',
    complete: true,
    ok: true,
    outcomes,
    reports: [],
    milliseconds: 1,
  };
  return encoded(
    random.pick<object>([
      { type: 'ping', id: 0 },
      { type: 'pong', id: 2 },
      { type: 'events', id: 1, events: [output, output] },
      { type: 'events', id: 1, events: [{ event: 'waiting', reason: 'another run' }] },
      { type: 'need', sha256: own.sha256, offset: 0, bytes: own.size },
      { type: 'converged', id: 1, result },
      { type: 'executed', id: 1, status: 0, signal: null },
      { type: 'exited', id: 1, status: 0, signal: null },
      { type: 'window', id: 1, channel: 0, bytes: 0 },
      { type: 'facts', id: 3, facts: plainHello().facts, problems: [] },
    ]),
  );
}

/** The same message with something in it replaced, left out, put in or put in its own place. */
export function mutated(value: object, random: Seeded): object {
  let place = value as Loose;
  for (let depth = random.below(6); depth > 0; depth -= 1) {
    const below = Object.values(place).filter((each) => typeof each === 'object' && each !== null);
    if (below.length > 0) place = random.pick(below) as Loose;
  }
  const name = random.pick([...Object.keys(place), '']);
  if (Array.isArray(place)) {
    place.splice(random.below(2), 1, strangeValue(random), strangeValue(random));
    return value;
  }
  switch (random.below(5)) {
    case 0:
      delete place[name];
      break;
    case 1:
      Object.defineProperty(place, random.pick(strangeNames), {
        value: strangeValue(random),
        enumerable: true,
        configurable: true,
        writable: true,
      });
      break;
    case 2:
      place[name] = [place[name], place[name]];
      break;
    default:
      place[name] = strangeValue(random);
  }
  return value;
}

function broken(bytes: Buffer, random: Seeded): Buffer {
  const copy = Buffer.from(bytes);
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, random.below(copy.length));
    case 1:
      return Buffer.concat([copy.subarray(random.below(copy.length)), copy]);
    case 2:
      return Buffer.concat([copy, random.bytes(1 + random.below(8))]);
    default:
      for (let count = 1 + random.below(4); count > 0; count -= 1)
        copy[random.below(copy.length)] = random.below(256);
      return copy;
  }
}

function noFrame(random: Seeded): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(random.pick([0, 1, 2 ** 24, 2 ** 24 + 1, 2 ** 31, 2 ** 32 - 1, 40]));
  head[4] = random.pick([0, 1, 2, 3, 4, 255]);
  return Buffer.concat([head, random.bytes(random.below(40))]);
}

function many(random: Seeded, asked: Asked): Buffer {
  const burst = random.pick<() => object>([
    () => ({ type: 'ping', id: random.below(9) }),
    () => ({ type: 'pong', id: 2 }),
    () => ({
      type: 'events',
      id: 1,
      events: [{ event: 'output', resource: '', stream: 'stdout', text: '' }],
    }),
    () => ({ type: 'events', id: 1, events: [] }),
    () => ({ type: 'need', sha256: asked.own.sha256, offset: 0, bytes: asked.own.size }),
    () => ({ type: 'goodbye' }),
  ]);
  return Buffer.concat(Array.from({ length: 1 + random.below(300) }, () => encoded(burst())));
}

const wildMoves: readonly ((random: Seeded, asked: Asked) => Buffer)[] = [
  (random, asked) => encoded(message(random, asked)),
  (random, asked) => encoded(message(random, asked)),
  (random, asked) => encoded(mutated(message(random, asked), random)),
  (random, asked) => encoded(mutated(mutated(message(random, asked), random), random)),
  (random, asked) => encoded(mutated(message(random, asked), random)),
  (random, asked) => broken(encoded(message(random, asked)), random),
  (random) => textFrame(random.pick(strangeTexts), random),
  (random) => random.bytes(1 + random.below(200)),
  noFrame,
  (random, asked) => {
    const twice = encoded(message(random, asked));
    return Buffer.concat([twice, twice]);
  },
  (random, asked) =>
    Buffer.concat(encodeChunk({ sha256: asked.own.sha256, offset: random.below(9), bytes: random.bytes(9) })),
  (random) => frame(frameTypes.deflated, random.bytes(1 + random.below(60))),
  (random) => frame(frameTypes.stream, random.bytes(random.below(9))),
  (random) => output(random, random.pick([0, 0, 1, 50, streamWindow, streamWindow + 1])),
  (random, asked) => (random.oneIn(8) ? many(random, asked) : encoded(message(random, asked))),
  (random, asked) => (random.oneIn(200) ? bomb : encoded(message(random, asked))),
];

/** Something fitting every other time, so that sessions live to see the rest in every state. */
function nextBytes(random: Seeded, asked: Asked): Buffer {
  return random.oneIn(2) ? fitting(random, asked) : random.pick(wildMoves)(random, asked);
}

/** The first word of an agent: mostly a hello that is one. */
export function firstWord(random: Seeded, asked: Asked): Buffer {
  if (!random.oneIn(5)) return encoded(plainHello());
  if (random.oneIn(3)) return encoded(mutated(structuredClone(plainHello()), random));
  if (random.oneIn(10)) return encoded(plainHello({ protocol: random.below(50) + 100 }));
  return nextBytes(random, asked);
}

/** The next move, cut into the pieces in which it arrives. */
export function nextMove(random: Seeded, asked: Asked): readonly Buffer[] {
  const bytes = nextBytes(random, asked);
  if (random.oneIn(50) && bytes.length < 2000) return Array.from(bytes, (byte) => Buffer.from([byte]));
  if (!random.oneIn(3)) return [bytes];
  const cut = random.below(bytes.length + 1);
  return [bytes.subarray(0, cut), bytes.subarray(cut)];
}
