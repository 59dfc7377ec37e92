import { describe, expect, it } from 'vitest';
import type { RolePlan } from '../../../agent/protocol/plan.ts';
import { planDigest } from '../../../reconciler/plan/digest.ts';

const plan: RolePlan = {
  environment: 'e',
  host: 'h',
  role: 'r',
  resources: [
    { id: 'echo:a', kind: 'echo', wanted: { message: ['a'] }, meta: { tags: ['x'], register: 'y' } },
  ],
  handlers: [],
};

describe('the digest of a plan', () => {
  it('does not depend on the host or on the order of keys', () => {
    const other = {
      ...plan,
      host: 'other',
      resources: plan.resources.map(({ meta, ...rest }) => ({
        meta: { register: 'y', tags: meta.tags },
        ...rest,
      })),
    };
    expect(planDigest(other as RolePlan)).toBe(planDigest(plan));
    expect(planDigest(plan)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    { role: 's' },
    { environment: 'f' },
    { resources: [] },
    { handlers: [{ name: 'h', resources: [] }] },
  ])('changes with %j', (change) => {
    expect(planDigest({ ...plan, ...change })).not.toBe(planDigest(plan));
  });
});
