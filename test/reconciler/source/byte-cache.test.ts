/**
 * A cache that never grows beyond its bound.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createByteCache } from '../../../reconciler/source/byte-cache.ts';

describe('a byte cache', () => {
  it('drops what was not used for longest', () => {
    const cache = createByteCache(80);
    const ten = (text: string): Buffer => Buffer.from(text.repeat(10));
    for (const id of 'abcdefgh') cache.put(id, ten(id));
    expect(cache.get('a')?.toString()).toBe('a'.repeat(10));
    cache.put('i', ten('i'));
    expect(cache.get('b')).toBeUndefined();
    expect(cache.get('a')).toBeDefined();
  });

  it('does not keep what would push out too much', () => {
    const cache = createByteCache(80);
    cache.put('large', Buffer.alloc(11));
    expect(cache.get('large')).toBeUndefined();
  });

  it('gives what was put, and never holds more than its bound', () => {
    const put = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'), fc.nat(8));
    fc.assert(
      fc.property(fc.array(put, { maxLength: 60 }), (puts) => {
        const cache = createByteCache(64);
        for (const [name, size] of puts) {
          cache.put(`${name}${size}`, Buffer.alloc(size, name));
          cache.get(`${name}${size}`)?.fill(0);
        }
        let held = 0;
        for (const [name, size] of new Map(puts.map((one) => [one.join(''), one])).values()) {
          const content = cache.get(`${name}${size}`);
          if (content === undefined) continue;
          held += content.length;
          expect(content).toEqual(Buffer.alloc(size, name));
        }
        expect(held).toBeLessThanOrEqual(64);
      }),
    );
  });
});
