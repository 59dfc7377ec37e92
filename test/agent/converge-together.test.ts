/**
 * Neighbouring packages in one transaction: what is applied, in which order it is told, and what a failure leaves.
 * Invariant: the real package kind and the real converge; apt and dpkg's database are a program and a text of this test.
 * Never touches this machine's packages.
 */

import { describe, expect, it } from 'vitest';
import { converge } from '../../agent/converge.ts';
import type { AgentEvent } from '../../agent/protocol/message.ts';
import type { Meta, PlannedResource } from '../../agent/protocol/plan.ts';
import type { RunResult, System } from '../../agent/system/system.ts';
import { ends, planOf, resource } from './converge-host.ts';
import { noFacts, testHost } from './test-host.ts';

/** A system whose dpkg database is a list of names, and whose apt-get removes from it. */
function debian(installed: Set<string>, calls: string[][], breaks = false): System {
  const { system } = testHost({ facts: { ...noFacts, packageManager: 'apt' } });
  const memory = new Map<string, Promise<unknown>>();
  const own: Partial<System> = {
    list: async () => [],
    readFile: async () =>
      Buffer.from(
        [...installed]
          .map((name) => `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n`)
          .join('\n'),
      ),
    once: (key, read) => {
      if (!memory.has(key)) memory.set(key, read());
      return memory.get(key) as ReturnType<typeof read>;
    },
    forget: (key) => void memory.delete(key),
    run: async (argv): Promise<RunResult> => {
      calls.push(argv.filter((word) => /^[a-z]+-$/.test(word)));
      if (!breaks) for (const word of argv) if (word.endsWith('-')) installed.delete(word.slice(0, -1));
      return { status: breaks ? 100 : 0, signal: null, stdout: '', stderr: '', timedOut: false };
    },
  };
  return new Proxy(system, {
    get: (target, name) => Reflect.get(name in own ? own : target, name),
  });
}

const gone = (name: string, meta: Meta = {}): PlannedResource =>
  resource('package', name, { package: name, state: 'absent' }, meta);
/** apt would read its last character as "remove", so it is refused at the first look. */
const refused = (meta: Meta = {}): PlannedResource => gone('bad-', meta);

async function run(
  resources: readonly PlannedResource[],
  options: { breaks?: boolean; stop?: AbortSignal } = {},
) {
  const installed = new Set(['a', 'b', 'c']);
  const calls: string[][] = [];
  const events: AgentEvent[] = [];
  const system = debian(installed, calls, options.breaks);
  const result = await converge(planOf(resources, [{ name: 'h', resources: [] }]), {
    run: 'r',
    key: 'k',
    digest: 'd',
    mode: 'apply',
    drift: false,
    stop: options.stop ?? new AbortController().signal,
    emit: (event) => events.push(event),
    arrival: async () => {},
    reader: () => system,
    system: () => system,
    now: () => performance.now(),
  });
  return { installed: [...installed], calls, events, result };
}

describe('neighbouring packages', () => {
  it('are applied in one transaction and told in order', async () => {
    const { calls, result, installed } = await run([gone('a'), gone('missing'), gone('b')]);
    expect(calls).toEqual([['a-', 'b-']]);
    expect(installed).toEqual(['c']);
    expect(ends(result)).toEqual(['package:missing unchanged', 'package:a changed', 'package:b changed']);
    expect(result.ok).toBe(true);
  });

  it('before one that fails at the first look are applied, those after it skipped', async () => {
    const { calls, result, installed } = await run([gone('a'), gone('b'), refused(), gone('c')]);
    expect(calls).toEqual([['a-', 'b-']]);
    expect(installed).toEqual(['c']);
    expect(ends(result)).toEqual([
      'package:a changed',
      'package:b changed',
      'package:bad- failed',
      'package:c skipped',
    ]);
  });

  it('after one whose failure is ignored are applied too', async () => {
    const { calls, result } = await run([gone('a'), refused({ ignoreErrors: true }), gone('c')]);
    expect(calls).toEqual([['a-'], ['c-']]);
    expect(result).toMatchObject({ ok: true, outcomes: { changed: 2, failed: 1 } });
  });

  it('all fail when their transaction does', async () => {
    const { result, installed } = await run([gone('a'), gone('b')], { breaks: true });
    expect(installed).toEqual(['a', 'b', 'c']);
    expect(result.reports.map(({ problem }) => problem?.code)).toEqual(['package.failed', 'package.failed']);
  });

  it('stay as they are when the run is stopped, and nothing is told of them', async () => {
    const { calls, result } = await run([gone('a'), gone('b')], { stop: AbortSignal.abort() });
    expect(calls).toEqual([]);
    expect(result).toMatchObject({ complete: false, reports: [] });
  });

  it('with a course of their own run alone', async () => {
    const { calls } = await run([gone('a', { retries: 1 }), gone('b'), gone('c', { timeout: 30 })]);
    expect(calls).toEqual([['a-'], ['b-'], ['c-']]);
  });
});
