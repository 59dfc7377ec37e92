import { describe, expect, it } from 'vitest';
import { type DecideInput, decide } from '../../../reconciler/plan/affected.ts';
import { appliedOf, evaluated, frozen, problemOf } from './plans.ts';

function input(more: Partial<DecideInput>): DecideInput {
  return { roles: [], applied: new Map(), failed: [], take: 'differing', ...more };
}

const web = (...evaluations: DecideInput['roles'][number]['evaluations']): DecideInput['roles'] =>
  frozen([{ role: 'web', hosts: evaluations.map((_, index) => `h${index}`), evaluations }]);

describe('decide', () => {
  it('takes pairs whose digest is not the applied one, in the order given', () => {
    const applied = appliedOf({ web: { h0: 'new', h1: 'old' } });
    const roles = web(evaluated('new'), evaluated('new'), evaluated('new'));
    const decision = decide(input({ roles, applied }));
    expect(decision.affected.map(({ host, role }) => `${host} ${role}`)).toEqual(['h1 web', 'h2 web']);
    expect(decision).toMatchObject({ current: 1, needFacts: [], released: [], problems: [] });
  });

  it('takes a pair again whose last try failed, although an older plan of the same digest was applied', () => {
    const applied = appliedOf({ web: { h0: 'a' } });
    const failed = [{ host: 'h0', role: 'web' }];
    const decision = decide(input({ roles: web(evaluated('a')), applied, failed }));
    expect(decision).toMatchObject({ current: 0, affected: [{ host: 'h0' }] });
  });

  it('counts pairs that need not be looked at as current', () => {
    const applied = appliedOf({ web: { h0: 'a' } });
    expect(decide(input({ roles: web(evaluated('a')), applied, settled: 7 })).current).toBe(8);
  });

  it('takes everything when all is asked for', () => {
    const applied = appliedOf({ web: { h0: 'a' } });
    expect(decide(input({ roles: web(evaluated('a')), applied, take: 'all' })).affected).toHaveLength(1);
  });

  it('releases what was applied or tried and is not wanted, but never under a limit', () => {
    const applied = appliedOf({ web: { gone: 'a', h0: 'a' } });
    const failed = [{ host: 'h0', role: 'old' }];
    const roles = web({ kind: 'not-wanted', inputs: {} });
    const decision = decide(input({ roles, applied, failed }));
    expect(decision.released).toEqual([
      { host: 'gone', role: 'web' },
      { host: 'h0', role: 'web' },
      { host: 'h0', role: 'old' },
    ]);
    expect(decide(input({ roles, applied, failed, limit: new Set(['h0']) })).released).toEqual([]);
  });

  it('keeps what cannot be planned apart, and says a shared problem once', () => {
    const failed = frozen({ kind: 'failed' as const, problems: [problemOf('stalled')] });
    const decision = decide(input({ roles: web(failed, { kind: 'needs-facts' }, failed) }));
    expect(decision.needFacts).toEqual([{ host: 'h1', role: 'web' }]);
    expect(decision.problems).toHaveLength(1);
    expect(decision.affected).toEqual([]);
  });
});
