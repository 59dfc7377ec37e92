import { describe, expect, it } from 'vitest';
import { failure, success } from '../../../agent/protocol/problem.ts';
import type { ConnectionSpec } from '../../../inventory/connection-spec.ts';
import { connectionProblem } from '../../../reconciler/base/problem-codes/connection.ts';
import { localRunner } from '../../../reconciler/connection/local.ts';
import { type RouteSources, Routes, routeOf } from '../../../reconciler/connection/routes.ts';
import { connectionKey, contextKey } from '../../../reconciler/connection/spec-key.ts';

function spec(host: string, more: Partial<ConnectionSpec> = {}): ConnectionSpec {
  return { kind: 'ssh', host, address: host, port: 22, hostKeys: 'strict', pinnedKeys: [], ...more };
}

const bastion = spec('bastion');
const relay = spec('relay', { relay: true });
const guarded = spec('guarded', { transport: 'openssh' });
const box = spec('box', { kind: 'docker', via: bastion });

describe('the way to a host', () => {
  it.each<[string, ConnectionSpec, string]>([
    ['this machine', spec('a', { kind: 'local' }), 'here'],
    ['a host', spec('a'), 'ssh2'],
    ['a host behind bastions', spec('a', { via: spec('b', { via: bastion }) }), 'ssh2'],
    ['a host that wants the OpenSSH client', guarded, 'openssh'],
    [
      'one that wants it behind one that does not',
      spec('a', { transport: 'openssh', via: bastion }),
      'openssh',
    ],
    ['one behind a host that wants it', spec('a', { via: guarded }), 'openssh'],
    ['one behind a relay', spec('a', { via: relay }), 'relayed'],
    [
      'one that wants the OpenSSH client behind a relay',
      spec('a', { transport: 'openssh', via: relay }),
      'relayed',
    ],
    ['one behind a host behind a relay', spec('a', { via: spec('b', { via: relay }) }), 'relayed'],
    ['one behind a container', spec('a', { via: box }), 'relayed'],
    ['a container', box, 'container'],
  ])('to %s is found', (_, wanted, name) => {
    expect(routeOf(wanted).name).toBe(name);
  });

  it('is not shared where agents on the way differ', () => {
    const asRoot = { ...bastion, become: { method: 'sudo', user: 'root' } } as const;
    const keys = [
      spec('a'),
      spec('a', { via: bastion }),
      spec('a', { via: asRoot }),
      spec('a', { via: relay }),
    ];
    expect(new Set(keys.map(connectionKey)).size).toBe(4);
    expect(contextKey(spec('a'))).not.toBe(contextKey(spec('a', { transport: 'openssh' })));
  });
});

describe('a lease of a way', () => {
  const released: string[] = [];
  const refused = connectionProblem('ssh.unreachable', 'relay:22: no', { where: { host: 'relay' } });
  const lease = (name: string) => success({ runner: localRunner, release: () => void released.push(name) });
  const sources = (more: Partial<RouteSources> = {}): RouteSources => ({
    ssh2: async () => lease('ssh2'),
    openssh: async () => lease('openssh'),
    agent: async ({ host }) => lease(host),
    relayed: () => success({ runner: localRunner, explain: (problem) => problem }),
    ...more,
  });

  it('keeps the parent until it is released', async () => {
    released.length = 0;
    const reached = await new Routes(sources()).reach(box);
    if (!reached.ok) throw new Error(reached.problem.message);
    expect(released).toEqual([]);
    reached.value.release();
    expect(released).toEqual(['bastion']);
  });

  it('gives the parent back when there is no way on', async () => {
    released.length = 0;
    const routes = new Routes(sources({ relayed: () => failure(refused) }));
    expect((await routes.reach(spec('a', { via: relay }))).ok).toBe(false);
    expect(released).toEqual(['relay']);
  });

  it('names the parent that cannot be reached, for the host that was asked for', async () => {
    const routes = new Routes(sources({ agent: async () => failure(refused) }));
    expect(await routes.reach(spec('a', { via: relay }))).toMatchObject({
      ok: false,
      problem: {
        code: 'ssh.unreachable',
        where: { host: 'a' },
        message: 'relay, which a is reached through: relay:22: no',
      },
    });
  });

  it('leaves nobody to become where the program enters as the account', async () => {
    const become = { method: 'sudo', user: 'app' } as const;
    const routes = new Routes(sources());
    const entered = await routes.reach({ ...box, become });
    const inside = await routes.reach({ ...box, kind: 'lxc', become });
    expect(entered.ok && entered.value.spec.become).toBeUndefined();
    expect(inside.ok && inside.value.spec.become).toEqual(become);
  });
});
