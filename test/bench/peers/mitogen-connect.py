"""
Connects to every host of a list with Mitogen's library, all at once, and tells the milliseconds until all interpreters answer.
Invariant: the clock starts after the imports and stops when every context has answered a call.
Never part of the product: the cold-connect bench compares with it.
"""

import json
import os
import sys
import threading
import time

import mitogen.master
import mitogen.utils


def main():
    about = json.load(sys.stdin)
    broker = mitogen.master.Broker()
    router = mitogen.master.Router(broker)
    failures = []

    def connect(host):
        try:
            context = router.ssh(
                hostname=host,
                username=about["user"],
                identity_file=about["key"],
                check_host_keys="ignore",
                python_path="/usr/bin/python3",
                connect_timeout=60,
            )
            context.call(os.getpid)
        except Exception as error:  # reported, and the bench fails
            failures.append("%s: %s" % (host, error))

    started = time.monotonic()
    threads = [threading.Thread(target=connect, args=(host,)) for host in about["hosts"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - started
    broker.shutdown()
    broker.join()
    print(json.dumps({"milliseconds": elapsed * 1000, "failures": failures}))


main()
