import { describe, expect, it } from 'vitest';
import { FactsBook } from '../../../reconciler/state/facts-book.ts';
import { openMemoryStore } from '../../../reconciler/state/open-store.ts';
import { debianFacts } from '../policy/fixtures.ts';

const store = () => {
  const opened = openMemoryStore();
  if (!opened.ok) throw new Error('no store');
  return opened.value.facts;
};

describe('the book of facts', () => {
  it('writes what is new, and nothing when only the uptime moved', async () => {
    const facts = store();
    const book = await FactsBook.open(facts, true);
    expect(book.get('a')).toBeUndefined();
    expect(await book.learn('a', debianFacts, '2026-01-01T00:00:00Z')).toBe(true);
    expect(await book.learn('a', { ...debianFacts, uptime: 99 }, '2026-01-02T00:00:00Z')).toBe(false);
    expect((await facts.get('a'))?.at).toBe('2026-01-01T00:00:00Z');
    expect(book.get('a')?.uptime).toBe(99);
    expect(await book.learn('a', { ...debianFacts, machineId: 'm' }, '2026-01-03T00:00:00Z')).toBe(true);
    expect((await FactsBook.open(facts, true)).get('a')?.machineId).toBe('m');
  });

  it('forgets what it learned when it may not write', async () => {
    const facts = store();
    const book = await FactsBook.open(facts, false);
    expect(await book.learn('a', debianFacts, '')).toBe(true);
    expect(book.get('a')).toEqual(debianFacts);
    expect(await facts.get('a')).toBeUndefined();
  });
});
