import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppliedDigests } from '../../reconciler/base/ledger.ts';
import { type DecideInput, decide, pairKey, takes } from '../../reconciler/plan/affected.ts';
import type { Evaluation } from '../../reconciler/policy/model.ts';
import { evaluated, frozen, problemOf } from '../reconciler/plan/plans.ts';

const hosts = ['a', 'b', 'c', 'd', 'e'];
const roles = ['base', 'db', 'web'];
const digest = fc.constantFrom('1', '2', '3');
const evaluation: fc.Arbitrary<Evaluation> = fc.oneof(
  { weight: 6, arbitrary: digest.map((value) => evaluated(value)) },
  fc.constant<Evaluation>({ kind: 'not-wanted', inputs: {} }),
  fc.constant<Evaluation>({ kind: 'needs-facts' }),
  fc.constant<Evaluation>({ kind: 'failed', problems: [problemOf('stalled')] }),
);
const pair = fc.tuple(fc.constantFrom(...hosts, 'gone'), fc.constantFrom(...roles, 'left'));
const input: fc.Arbitrary<DecideInput> = fc
  .record({
    fleet: fc.uniqueArray(
      fc.record({
        role: fc.constantFrom(...roles),
        members: fc.array(evaluation, { maxLength: hosts.length }),
      }),
      { selector: ({ role }) => role },
    ),
    applied: fc.array(fc.tuple(pair, digest)),
    failed: fc.uniqueArray(pair, { selector: ([host, role]) => pairKey(host, role) }),
    take: fc.constantFrom(...takes),
    limit: fc.option(fc.subarray(hosts), { nil: undefined }),
  })
  .map(({ fleet, applied, failed, take, limit }) => ({
    roles: fleet.map(({ role, members }) => {
      const chosen = hosts
        .map((host, index) => ({ host, evaluation: members[index] }))
        .filter((each) => each.evaluation !== undefined && (limit?.includes(each.host) ?? true));
      return frozen({
        role,
        hosts: chosen.map(({ host }) => host),
        evaluations: chosen.map((each) => each.evaluation as Evaluation),
      });
    }),
    applied: nested(applied.map(([[host, role], value]) => ({ host, role, digest: value }))),
    failed: failed.map(([host, role]) => ({ host, role })),
    take,
    limit: limit && new Set(limit),
  }));

function nested(pairs: readonly { host: string; role: string; digest: string }[]): AppliedDigests {
  const roles = new Map<string, Map<string, string>>();
  for (const { host, role, digest: value } of pairs)
    roles.set(role, (roles.get(role) ?? new Map<string, string>()).set(host, value));
  return roles;
}

/** Pairs of nested digests. */
function flat(applied: AppliedDigests): { host: string; role: string; digest: string }[] {
  return [...applied].flatMap(([role, of]) =>
    [...of].map(([host, value]) => ({ host, role, digest: value })),
  );
}

const keys = (pairs: readonly { host: string; role: string }[]): string[] =>
  pairs.map(({ host, role }) => pairKey(host, role));
const pairsOf = ({ roles: of }: DecideInput): (readonly [string, Evaluation])[] =>
  of.flatMap(({ role, hosts: names, evaluations }) =>
    names.map((host, index) => [pairKey(host, role), evaluations[index] as Evaluation] as const),
  );
const digestsOf = ({ applied }: DecideInput): ReadonlyMap<string, string> =>
  new Map(flat(applied).map((each) => [pairKey(each.host, each.role), each.digest]));

describe('every decision', () => {
  it('puts every wanted pair into exactly one list, and releases only what nobody wants', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { affected, current, needFacts, released } = decide(given);
        const all = pairsOf(given);
        const wanted = all.filter(([, { kind }]) => kind !== 'not-wanted').map(([key]) => key);
        const failing = all.filter(([, { kind }]) => kind === 'failed').length;
        const listed = [...keys(affected), ...keys(needFacts)];
        expect(new Set(listed).size).toBe(listed.length);
        expect(listed.length + current + failing).toBe(wanted.length);
        expect(keys(released).filter((key) => wanted.includes(key))).toEqual([]);
        if (given.limit !== undefined) expect(released).toEqual([]);
      }),
    );
  });

  it('never names a host outside the limit', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { affected, needFacts, released } = decide(given);
        const named = [...affected, ...needFacts, ...released].map(({ host }) => host);
        if (given.limit !== undefined) expect(named.filter((host) => !given.limit?.has(host))).toEqual([]);
      }),
    );
  });

  it('takes what differs or failed; everything when forced; only what is applied when it looks for drift', () => {
    fc.assert(
      fc.property(input, (given) => {
        const taken = new Set(keys(decide(given).affected));
        const [applied, failed] = [digestsOf(given), keys(given.failed)];
        for (const [key, each] of pairsOf(given)) {
          if (each.kind !== 'plan') continue;
          const isApplied = applied.get(key) === each.digest;
          const expected = { differing: !isApplied || failed.includes(key), all: true, applied: isApplied };
          expect(taken.has(key)).toBe(expected[given.take]);
        }
      }),
    );
  });

  it('has nothing left to do once what it took is applied', () => {
    fc.assert(
      fc.property(input, (given) => {
        const first = decide({ ...given, take: 'differing' as const });
        const dealtWith = new Set(keys([...first.affected, ...first.released]));
        const left = flat(given.applied).filter(({ host, role }) => !dealtWith.has(pairKey(host, role)));
        const applied = nested([...left, ...first.affected]);
        const failed = given.failed.filter(({ host, role }) => !dealtWith.has(pairKey(host, role)));
        const second = decide({ ...given, applied, failed, take: 'differing' as const });
        expect(second).toMatchObject({ affected: [], released: [] });
      }),
    );
  });
});
