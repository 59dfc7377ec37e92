import { describe, expect, it } from 'vitest';
import { inventoryFiles } from '../../inventory/files.ts';

const paths = [
  'inventory/b.toml',
  'inventory/a.toml',
  'inventory/notes.md',
  'inventory/old/c.toml',
  'x.toml',
];

describe('the files of an inventory', () => {
  it('are the one file that is named', () => {
    expect(inventoryFiles('x.toml', paths)).toEqual({ ok: true, value: ['x.toml'] });
  });

  it.each(['inventory', 'inventory/'])('are the TOML files of the folder %s, by name', (folder) => {
    expect(inventoryFiles(folder, paths)).toEqual({
      ok: true,
      value: ['inventory/a.toml', 'inventory/b.toml'],
    });
  });

  it('are a problem where there is nothing', () => {
    expect(inventoryFiles('inventory/c.toml', paths)).toMatchObject({
      ok: false,
      problem: {
        code: 'inventory.no-files',
        message: 'there is no inventory at "inventory/c.toml"; did you mean "inventory/b.toml"?',
        where: { file: 'inventory/c.toml' },
      },
    });
  });
});
