import { describe, expect, it } from 'vitest';
import { connectionFor } from '../../inventory/connection.ts';
import { loadInventory } from '../../inventory/load.ts';
import { inventoryToml } from './inventory-toml.ts';

const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5eXl5';
const hosts = [
  { name: 'web1', address: '10.77.0.10', hostKey },
  { name: 'db1', address: '10.77.0.11', hostKey },
];

describe('the fleet’s inventory', () => {
  it('loads, with every host in the group fleet and its address, key and variables', () => {
    const text = inventoryToml(hosts, '/tmp/client_key', {
      user: 'deploy',
      groups: { web: ['web1'] },
      vars: { port: 8080 },
      hostVars: { db1: { port: 5432, towline_via: 'web1' } },
    });
    const loaded = loadInventory([{ path: 'fleet.toml', text }]);
    expect(loaded).toMatchObject({ ok: true });
    if (!loaded.ok) return;
    const web = loaded.value.hosts.get('web1');
    const db = loaded.value.hosts.get('db1');
    expect(web).toMatchObject({ groups: ['all', 'fleet', 'web'], variables: { port: 8080 } });
    expect(db).toMatchObject({ groups: ['all', 'fleet'], variables: { port: 5432 } });
    expect(connectionFor(loaded.value, 'db1')).toMatchObject({
      ok: true,
      value: {
        address: '10.77.0.11',
        user: 'deploy',
        keyFile: '/tmp/client_key',
        hostKeys: 'pinned',
        pinnedKeys: [hostKey],
        via: { address: '10.77.0.10' },
      },
    });
  });

  it('leaves host keys to another policy when asked to', () => {
    const text = inventoryToml(hosts, '/tmp/client_key', {
      user: 'root',
      vars: { towline_host_keys: 'strict' },
    });
    const loaded = loadInventory([{ path: 'fleet.toml', text }]);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    expect(connectionFor(loaded.value, 'web1')).toMatchObject({
      value: { hostKeys: 'strict', pinnedKeys: [] },
    });
  });
});
