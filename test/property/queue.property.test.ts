import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Job, JobQueue, type JobSort, jobSorts } from '../../reconciler/queue.ts';

const job: fc.Arbitrary<Job> = fc
  .record({
    environment: fc.constantFrom('a', 'b'),
    sort: fc.constantFrom<JobSort>(...jobSorts),
    hosts: fc.option(fc.subarray(['h1', 'h2', 'h3'], { minLength: 1 }), { nil: undefined }),
  })
  .map(({ environment, sort, hosts }) => ({
    environment,
    sort,
    trigger: 'manual',
    mode: 'apply',
    onlyHosts: sort === 'retry' ? hosts && new Set(hosts) : undefined,
  }));
type Step = { readonly add: Job } | { readonly take: true } | { readonly end: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  job.map((add) => ({ add })),
  fc.constant({ take: true as const }),
  fc.nat(10).map((end) => ({ end })),
);

/** What is asked and not yet given out: per environment and sort the hosts, `*` for all. */
class Asked {
  readonly #hosts = new Map<string, Set<string>>();

  add({ environment, sort, onlyHosts }: Job): void {
    const key = `${environment} ${sort}`;
    const hosts = this.#hosts.get(key) ?? new Set();
    for (const host of onlyHosts ?? ['*']) hosts.add(host);
    this.#hosts.set(key, hosts);
  }

  take({ environment, sort, onlyHosts }: Job): void {
    const key = `${environment} ${sort}`;
    const hosts = [...(this.#hosts.get(key) ?? [])];
    expect(hosts.length).toBeGreaterThan(0);
    if (onlyHosts === undefined) expect(hosts).toContain('*');
    else expect([...onlyHosts].sort()).toEqual(hosts.sort());
    this.#hosts.delete(key);
  }

  get empty(): boolean {
    return this.#hosts.size === 0;
  }
}

/** The next job, or undefined when there is none now. */
async function takeNow(queue: JobQueue): Promise<Job | undefined> {
  const stop = new AbortController();
  const next = queue.next(stop.signal);
  setImmediate(() => stop.abort());
  return next;
}

describe('the queue', () => {
  it('never gives out two jobs of one environment at once, and loses nothing that was asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const queue = new JobQueue();
        const asked = new Asked();
        const active: Job[] = [];
        const take = async (): Promise<boolean> => {
          const taken = await takeNow(queue);
          if (taken === undefined) return false;
          expect(active.map(({ environment }) => environment)).not.toContain(taken.environment);
          asked.take(taken);
          active.push(taken);
          return true;
        };
        const end = (index: number): void => {
          const [ended] = active.splice(index % Math.max(1, active.length), 1);
          if (ended !== undefined) queue.done(ended.environment);
        };
        for (const each of steps) {
          if ('add' in each) {
            queue.add(each.add);
            asked.add(each.add);
          } else if ('take' in each) await take();
          else end(each.end);
        }
        for (let tries = 0; tries < 20; tries += 1) if (!(await take())) end(0);
        expect(asked.empty).toBe(true);
        while (active.length > 0) end(0);
        expect(queue.idle).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('gives out what is most urgent first', async () => {
    const queue = new JobQueue();
    const add = (environment: string, sort: JobSort): void =>
      queue.add({ environment, sort, trigger: 'manual', mode: 'apply' });
    add('a', 'drift');
    add('b', 'retry');
    add('c', 'full');
    const order = [await takeNow(queue), await takeNow(queue), await takeNow(queue)];
    expect(order.map((each) => each?.sort)).toEqual(['full', 'retry', 'drift']);
    expect(queue.active('a')?.sort).toBe('drift');
    queue.add({ environment: 'a', sort: 'full', trigger: 'commit', mode: 'apply' });
    queue.drop('a');
    queue.done('a');
    expect(await takeNow(queue)).toBeUndefined();
  });

  it('wakes when something comes and when it is stopped', async () => {
    const queue = new JobQueue();
    const stop = new AbortController();
    const first = queue.next(stop.signal);
    queue.add({ environment: 'a', sort: 'full', trigger: 'commit', mode: 'apply' });
    expect(await first).toMatchObject({ environment: 'a' });
    const second = queue.next(stop.signal);
    stop.abort();
    expect(await second).toBeUndefined();
    expect(await queue.next(stop.signal)).toBeUndefined();
  });
});
