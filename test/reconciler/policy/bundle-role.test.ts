import { describe, expect, it } from 'vitest';
import { bundleRole, policyPath } from '../../../reconciler/policy/bundle-role.ts';
import { snapshotOf } from './fixtures.ts';

describe('bundling a role', () => {
  it('names every module of the closure, unused and index ones too', async () => {
    const bundled = await bundleRole(
      snapshotOf({
        'roles/web/role.ts':
          "import { unused } from './a.ts'\nimport data from '../../lib/x.json'\nexport default data",
        'roles/web/a.ts': "import '../../lib/deep'\nexport const unused = 1",
        'lib/deep/index.ts': 'export {}',
        'lib/x.json': '{ "a": 1 }',
        'lib/other.ts': 'export {}',
      }),
      'roles/web/role.ts',
    );
    expect(bundled.ok && bundled.value.sources).toEqual([
      'lib/deep/index.ts',
      'lib/x.json',
      'roles/web/a.ts',
      'roles/web/role.ts',
    ]);
    expect(bundled.ok && bundled.value.code).toContain('a: 1');
  });

  it('names the places where an import would have found its module first', async () => {
    const bundled = await bundleRole(
      snapshotOf({ 'roles/web/role.ts': "import '../../lib'", 'lib.js': 'export {}' }),
      'roles/web/role.ts',
    );
    expect(bundled.ok && bundled.value.vacant).toEqual(['lib', 'lib.ts']);
  });

  it('leaves types out of the closure, since they cannot change a plan', async () => {
    const bundled = await bundleRole(
      snapshotOf({
        'roles/web/role.ts': "import type { A } from './a.ts'\nexport const a: A = 1",
        'roles/web/a.ts': 'export type A = 1',
      }),
      'roles/web/role.ts',
    );
    expect(bundled.ok && bundled.value.sources).toEqual(['roles/web/role.ts']);
  });

  it('takes the namespace off paths', () => {
    expect([policyPath('policy:roles/a.ts'), policyPath('roles/a.ts')]).toEqual(['roles/a.ts', 'roles/a.ts']);
  });
});
