import { describe, expect, it } from 'vitest';
import type { Evaluation, LoadedPolicy, Subject } from '../../../reconciler/policy/model.ts';
import { debianFacts, engineInProcess, roleFile, snapshotOf, subjectOf } from './fixtures.ts';

const role = roleFile(
  "[template('/x', { from: 'x.njk' }), vars.port === 1 && file('/y'), file(environment.name === 'test' ? '/t' : '/p')]",
  'variables: { port: 1 },',
);

async function loadedWith(engine: ReturnType<typeof engineInProcess>, text: string): Promise<LoadedPolicy> {
  const files = { 'roles/web/role.ts': role, 'roles/web/templates/x.njk': text, 'README.md': text };
  const loaded = await engine.load(snapshotOf(files), ['web']);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.value;
}

function digestOf(evaluation: Evaluation | undefined): string {
  if (evaluation?.kind !== 'plan') throw new Error(JSON.stringify(evaluation));
  return evaluation.digest;
}

describe('answers to the same question', () => {
  it('are the same objects while host, facts and files are', async () => {
    const engine = engineInProcess();
    const subjects = ['a', 'b'].map((name) => subjectOf(name, {}, { facts: debianFacts }));
    const policy = await loadedWith(engine, 'one');
    await policy.evaluate('web', subjects);
    const before = await policy.evaluate('web', subjects);
    const after = await policy.evaluate('web', subjects);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    expect(engine.counters).toEqual({ evaluations: 1, hits: 5 });
    await engine.close();
  });

  it('are new when a file, a host, its environment or an extra variable is another', async () => {
    const engine = engineInProcess();
    const subject = subjectOf('a', {}, { facts: debianFacts });
    const first = await loadedWith(engine, 'one');
    const ask = async (policy: LoadedPolicy, change: Partial<Subject>): Promise<string> =>
      digestOf((await policy.evaluate('web', [{ ...subject, ...change }]))[0]);
    const digest = await ask(first, {});
    expect(await ask(first, {})).toBe(digest);
    const second = await loadedWith(engine, 'two');
    expect(await ask(second, {})).not.toBe(digest);
    expect(await ask(first, {})).toBe(digest);
    expect(await ask(first, { host: subjectOf('a', { port: 2 }).host })).not.toBe(digest);
    expect(await ask(first, { environment: { name: 'production', branch: 'main' } })).not.toBe(digest);
    expect(await ask(first, { extraVariables: { port: 2 } })).not.toBe(digest);
    expect(await ask(first, {})).toBe(digest);
    await engine.close();
  });

  it('keep each host its own name', async () => {
    const engine = engineInProcess();
    const policy = await loadedWith(engine, 'one');
    const subjects = ['a', 'b', 'c'].map((name) => subjectOf(name, {}, { facts: debianFacts }));
    await policy.evaluate('web', subjects);
    const answers = await policy.evaluate('web', subjects.toReversed());
    const hosts = answers.map((answer) => (answer.kind === 'plan' ? answer.plan.host : ''));
    expect(hosts).toEqual(['c', 'b', 'a']);
    await engine.close();
  });
});
