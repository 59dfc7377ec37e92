import { describe, expect, it } from 'vitest';
import { podAddress, wantedAddress } from '../../inventory/addresses.ts';
import { type ConnectionKind, connectionKinds } from '../../inventory/connection-spec.ts';

describe('the address of a host', () => {
  it.each<[ConnectionKind, string]>([
    ['ssh', 'fe80::1%eth0'],
    ['ssh', 'web1.example.org'],
    ['local', ''],
    ['docker', 'web_1.a-b'],
    ['podman', '0123abcd'],
    ['kubectl', 'web-0'],
    ['kubectl', 'shop/web-0'],
    ['kubectl', 'shop/web-0/app'],
    ['kubectl', '/web-0/app'],
    ['kubectl', 'shop/web-0@arn:aws:eks:eu-west-1:1:cluster/prod'],
    ['lxc', 'web'],
    ['lxd', 'web'],
    ['lxd', 'remote:web'],
    ['machinectl', 'web'],
    ['setns', '4711'],
    ['setns', 'docker:web'],
    ['setns', 'machinectl:web'],
    ['jail', '7'],
    ['chroot', '/srv/tree'],
  ])('by %s may be %s', (kind, address) => {
    expect(wantedAddress(kind, address)).toBeUndefined();
  });

  it.each<[ConnectionKind, string]>([
    ['ssh', 'a/b'],
    ['ssh', 'a b'],
    ['docker', 'a/b'],
    ['docker', '../x'],
    ['kubectl', 'Web'],
    ['kubectl', 'a/b/c/d'],
    ['kubectl', 'web@-context'],
    ['kubectl', 'web@'],
    ['lxd', 'a:b:c'],
    ['setns', '0'],
    ['setns', 'jail:web'],
    ['setns', 'docker:'],
    ['chroot', 'srv/tree'],
  ])('by %s may not be %s', (kind, address) => {
    expect(wantedAddress(kind, address)).toMatch(/^(a|an|the) /);
  });

  it('never begins with a dash, whatever the kind', () => {
    const kinds = connectionKinds.filter((kind) => kind !== 'local');
    expect(kinds.filter((kind) => wantedAddress(kind, '-x') === undefined)).toEqual([]);
  });

  it('of a pod has a namespace, a container and a context only where they are written', () => {
    expect(podAddress('web')).toEqual({ pod: 'web' });
    expect(podAddress('shop/web')).toEqual({ pod: 'web', namespace: 'shop' });
    expect(podAddress('/web/app')).toEqual({ pod: 'web', container: 'app' });
    expect(podAddress('shop/web/app@c/d')).toEqual({
      pod: 'web',
      namespace: 'shop',
      container: 'app',
      context: 'c/d',
    });
  });
});
