/**
 * Where an agent keeps the host lock and its journal.
 * Invariant: directories are real and temporary.
 * Never looks at this machine's own.
 */

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findPlaces } from '../../agent/places.ts';

describe('the places of an agent', () => {
  it('are the given directory where one is given', () => {
    expect(findPlaces({ TOWLINE_HOST_DIR: '/srv/host' }, 0, '/root')).toEqual({
      lock: '/srv/host',
      journal: '/srv/host/journal',
    });
    expect(findPlaces({ TOWLINE_HOST_DIR: 'relative' }, 0, '/root').journal).toBe('/var/lib/towline/journal');
  });

  it('lock where every account may write, so that all take the same lock', () => {
    const [narrow = '', open = ''] = ['a', 'b'].map(() => mkdtempSync(join(tmpdir(), 'towline-places-')));
    chmodSync(open, 0o1777);
    expect(findPlaces({}, 0, '/root', ['/nowhere', narrow, open]).lock).toBe(open);
    expect(findPlaces({}, 1000, '/home/a', [narrow]).lock).toBe('/tmp');
    for (const path of [narrow, open]) rmSync(path, { recursive: true });
  });

  it('keep the journal with the account', () => {
    expect(findPlaces({}, 1000, '/home/a').journal).toBe('/home/a/.local/state/towline/journal');
    expect(findPlaces({}, 0, '/root').journal).toBe('/var/lib/towline/journal');
  });
});
