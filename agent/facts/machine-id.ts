/**
 * Fact `machineId`: the id systemd and dbus know this installation by.
 * Invariant: 32 hexadecimal digits, or empty where the host has none.
 * Pure.
 */

import type { Fact, FactExample } from './fact.ts';

const places = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

export const machineId: Fact<'machineId'> = {
  files: places,
  parse({ files }) {
    const ids = places.map((path) => files[path]?.trim() ?? '');
    return ids.find((id) => /^[0-9a-f]{32}$/.test(id)) ?? '';
  },
};

export const machineIdExample: FactExample<'machineId'> = {
  observed: { files: { '/etc/machine-id': '0123456789abcdef0123456789abcdef\n' } },
  value: '0123456789abcdef0123456789abcdef',
};
