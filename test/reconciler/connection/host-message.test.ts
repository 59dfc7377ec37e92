import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Frame, frameLimit, frameTypes } from '../../../agent/protocol/frame.ts';
import { agentMessageSchema } from '../../../agent/protocol/message.ts';
import { type Problem, ProblemError } from '../../../agent/protocol/problem.ts';
import { agentProblems } from '../../../reconciler/base/problem-codes/agent.ts';
import { messageText, readMessage } from '../../../reconciler/connection/host-message.ts';
import { schemaSamples } from '../../helpers/schema-samples.ts';
import { plainHello } from '../../helpers/simulated-agent.ts';

function refusalOf(act: () => unknown): Problem | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error.problem;
    throw error;
  }
}

const read = (text: string) => readMessage(text);
const deflated = (body: Buffer): Frame => ({ type: frameTypes.deflated, body });

/** Every problem in a value, by what only problems have. */
function* problemsIn(value: unknown): Generator<Problem> {
  if (typeof value !== 'object' || value === null) return;
  if ('disposition' in value) yield value as unknown as Problem;
  for (const member of Object.values(value)) yield* problemsIn(member);
}

describe('the text of a frame', () => {
  it('is inflated to what a frame may hold and no further', () => {
    expect(messageText(deflated(deflateRawSync('{}')))).toBe('{}');
    expect(messageText({ type: frameTypes.message, body: Buffer.from('{}') })).toBe('{}');
    const bomb = deflated(deflateRawSync(Buffer.alloc(frameLimit + 1)));
    expect(bomb.body.length).toBeLessThan(20_000);
    expect(refusalOf(() => messageText(bomb))).toMatchObject({ code: 'protocol.bad-frame' });
    expect(refusalOf(() => messageText(deflated(Buffer.from('not deflated'))))).toMatchObject({
      code: 'protocol.bad-frame',
    });
  });
});

describe('a message from a host', () => {
  it.each([
    ['', 'protocol.bad-frame'],
    ['{"type":"ping","id":NaN}', 'protocol.bad-frame'],
    ['null', 'protocol.bad-message'],
    ['{"type":"ping","id":1e999}', 'protocol.bad-message'],
    ['{"__proto__":{"type":"ping","id":1}}', 'protocol.bad-message'],
    [`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`, 'protocol.bad-message'],
    [`{"type":"ping","id":1,"x":${'{"x":'.repeat(5000)}1${'}'.repeat(5000)}}`, 'protocol.bad-message'],
  ])('is refused when it has no agreed form: %.40s', (text, code) => {
    expect(refusalOf(() => read(text))).toMatchObject({ code, hint: expect.stringMatching(/./) });
  });

  it('says where the form is wrong in a few words, however long the name is', () => {
    const holds = { ['x'.repeat(1_000_000)]: 1 };
    const problem = refusalOf(() => read(JSON.stringify({ ...plainHello(), holds })));
    expect(problem?.message.length).toBeLessThan(400);
  });

  it('brings facts of bounded size and depth only', () => {
    const deep = `${'['.repeat(5000)}${']'.repeat(5000)}`;
    const facts = (custom: object) =>
      JSON.stringify(plainHello({ facts: { ...plainHello().facts, custom } as never }));
    expect(refusalOf(() => read(facts({ deep: 0 }).replace('"deep":0', `"deep":${deep}`)))).toMatchObject({
      code: 'protocol.bad-message',
    });
    expect(refusalOf(() => read(facts({ large: 'x'.repeat(5_000_000) })))?.message).toMatch(/facts/);
    expect(read(facts({ deep: { er: ['x'.repeat(100_000)] } }))).toMatchObject({
      facts: { custom: { deep: { er: [expect.stringMatching(/^x{100000}$/)] } } },
    });
  });

  it('brings a journal of bounded length, and counts that are counts', () => {
    const entry = { run: 'r', key: 'k', digest: 'd', startedAt: '', reports: [] };
    const long = plainHello({ journal: Array.from({ length: 1001 }, () => entry) });
    expect(refusalOf(() => read(JSON.stringify(long)))?.message).toMatch(/1001 runs/);
    const outcomes = { unchanged: 0, changed: -1, failed: 0, skipped: 0, unknown: 0 };
    const about = {
      key: 'k',
      digest: 'd',
      run: 'r',
      mode: 'apply',
      complete: true,
      ok: true,
      milliseconds: 0,
    };
    const result = { ...about, outcomes, reports: [] };
    expect(refusalOf(() => read(JSON.stringify({ type: 'converged', id: 1, result })))).toBeDefined();
  });

  it('cannot name another host, role or environment, nor a code or disposition of its choice, wherever a problem may stand', () => {
    let seen = 0;
    for (const sample of schemaSamples(agentMessageSchema, { text: () => 'elsewhere' })) {
      const adopted = read(JSON.stringify(sample));
      for (const problem of problemsIn(adopted)) {
        seen += 1;
        expect(agentProblems[problem.code]).toMatchObject({ disposition: problem.disposition });
        expect(problem.hint).not.toBe('');
        expect(problem.hint).not.toBe('elsewhere');
        expect(problem.message).toBe('elsewhere: elsewhere');
        expect(Object.keys(problem.where ?? {}).sort()).toEqual(['column', 'file', 'line', 'resource']);
      }
    }
    expect(seen).toBeGreaterThan(20);
  });

  it('keeps what an honest agent says of a problem', () => {
    const problem = {
      code: 'file.unreadable',
      disposition: 'stalled',
      message: 'm',
      hint: 'do this',
      where: { resource: 'file:/x' },
      lines: ['a'],
    };
    const message = { type: 'executed', id: 1, status: null, signal: null, problem };
    expect(read(JSON.stringify(message))).toEqual(message);
    const noHint = read(JSON.stringify({ ...message, problem: { ...problem, hint: '' } }));
    expect(noHint).toMatchObject({ problem: { hint: 'Check the path and its permissions on the host.' } });
  });

  it('has causes, lines and texts of bounded length only, but output whole', () => {
    const leaf = { code: 'file.unreadable', disposition: 'stalled', message: 'm', hint: '' };
    const chain = Array.from({ length: 40 }).reduce<object>((cause) => ({ ...leaf, cause }), leaf);
    const lines = Array.from({ length: 1000 }, (_, index) => `${index} ${'x'.repeat(20_000)}`);
    const problem = { ...chain, lines, message: 'y'.repeat(100_000) };
    const read1 = read(JSON.stringify({ type: 'goodbye', problem }));
    expect([...problemsIn(read1)]).toHaveLength(9);
    const [first] = [...problemsIn(read1)];
    expect(first?.message).toHaveLength(16_385);
    expect(first?.lines).toHaveLength(50);
    expect(first?.lines?.at(-1)).toMatch(/^999 x{1996}…$/);
    const report = {
      resource: 'r'.repeat(20_000),
      outcome: 'changed',
      changes: [{ action: 'update', property: 'content', diff: 'd'.repeat(100_000) }],
      milliseconds: 1,
    };
    const events = [
      { event: 'output', resource: '', stream: 'stdout', text: 'o'.repeat(100_000) },
      { event: 'finished', report },
    ];
    const read2 = read(JSON.stringify({ type: 'events', id: 1, events }));
    expect(read2).toMatchObject({
      events: [
        events[0],
        { report: { resource: expect.stringMatching(/^r{16384}…$/), changes: report.changes } },
      ],
    });
  });
});
