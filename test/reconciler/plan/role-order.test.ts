import { describe, expect, it } from 'vitest';
import { orderRoles } from '../../../reconciler/plan/role-order.ts';
import { roleOf } from './plans.ts';

function orderOf(roles: Parameters<typeof orderRoles>[0]): string[] {
  const ordered = orderRoles(roles);
  if (!ordered.ok) throw new Error(ordered.problems[0]?.message);
  return ordered.value.map(({ name }) => name);
}

describe('orderRoles', () => {
  it('keeps the order given where nothing says otherwise', () => {
    expect(orderOf([roleOf('c'), roleOf('a'), roleOf('b')])).toEqual(['c', 'a', 'b']);
  });

  it('puts a role behind those it comes after, and passes over roles nobody uses', () => {
    expect(orderOf([roleOf('web', { after: ['base', 'unused'] }), roleOf('db'), roleOf('base')])).toEqual([
      'base',
      'web',
      'db',
    ]);
  });

  it('reports a circle as its path, with the file of its first role', () => {
    const circle = [
      roleOf('x', { after: ['a'] }),
      roleOf('a', { after: ['b'] }),
      roleOf('b', { after: ['a'] }),
    ];
    expect(orderRoles(circle)).toMatchObject({
      ok: false,
      problems: [
        {
          code: 'plan.role-cycle',
          message: expect.stringContaining('a → b → a'),
          where: { file: 'roles/a/role.ts' },
        },
      ],
    });
    expect(orderRoles([roleOf('me', { after: ['me'] })])).toMatchObject({ ok: false });
  });
});
