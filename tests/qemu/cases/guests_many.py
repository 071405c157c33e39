# SPDX-License-Identifier: MIT
"""Several guests in one tree: each gets its share and its turn on the terminal, whatever the others do."""

from cases.guests import system_reset
from cases.linux_smp import require_no_stall
from console import Console
from monitor import BEGIN, COUNTER, COUNTER_CODE, FLOOD_CODE, KEY, Monitor, linux_properties, properties, tree
from suite import Bench, guest, linux, test


def linux_images() -> dict:
    """The kernel and initramfs of linux_properties()."""
    parts = linux()
    return {"linux": ("kernel", parts["kernel"]), "root": ("ramdisk", parts["initramfs"])}


def minikernel() -> dict:
    return {"minikernel": ("kernel", guest("minikernel"))}


def raw(bench: Bench, name: str, code: bytes) -> dict:
    return {name: ("kernel", bench.write(name, code))}


def use_shell(console: Console, name: str) -> None:
    """Has the shell of guest `name`, which has the terminal, answer."""
    console.expect(rf"^{name}:\S+# ")
    console.send("echo $((6 * 7)) $(hostname) $(grep -c ^processor /proc/cpuinfo)\n")
    console.expect(rf"^42 {name} 2$")
    console.expect(rf"^{name}:\S+# ")


@test(["noh", "u54"], tags=["linux", "many", "long"])
def two_linux(bench: Bench) -> None:
    """Two Linux guests and a minikernel: their output is told apart, each gets the terminal, and each ends by itself."""
    payload = tree(bench, linux_images() | minikernel(), {
        "west": linux_properties("uc.hostname=west", vcpus=2),
        "east": linux_properties("uc.hostname=east", vcpus=2),
        "mini": properties("minikernel", "quiet")})
    with bench.inside(payload) as console:
        console.expect_all(r"^mini\| minikernel: PASS$", r"^\[uc\] mini: shutdown$", r"^west\| .*Brought up 1 node, 2 CPUs",
                           r"^east\| .*Brought up 1 node, 2 CPUs", r"^west\| .*Run /init as init", r"^east\| .*Run /init as init")
        monitor = Monitor(console)
        monitor.open()
        monitor.ask("guests", r" +0 west +running +512 MiB +2$", r" +1 east +running +512 MiB +2$", r" +2 mini +shut down +64 MiB +1$")
        monitor.attach("west")
        use_shell(console, "west")
        # Twice the monitor's key is once the guest's.
        console.send("read -r key; printf %s \"$key\" | od -An -to1\n")
        console.send(KEY + KEY + "\n")
        console.expect(r"^ 035$")
        monitor.open()
        monitor.attach("east")
        use_shell(console, "east")
        console.send("sleep 1000\n")
        monitor.open()
        monitor.ask("guests", r" +0 west +running", r"\* +1 east +running")
        monitor.attach("west")
        console.expect(r"west:\S+# ")
        console.send("poweroff\n")
        console.expect(r"^\[uc\] west: shutdown$")
        # What its guest left is nobody's terminal now.
        monitor.open()
        monitor.ask("guests", r" +0 west +shut down", r"  +1 east +running")
        monitor.attach("east")
        console.send("\x03")
        use_shell(console, "east")
        console.send("poweroff\n")
        console.expect(r"^\[uc\] east: shutdown$")
        bench.end(console)
        require_no_stall(console)


@test(["noh"], tags=["linux", "many"])
def one_guest_fails(bench: Bench) -> None:
    """A guest that fails makes the machine's end a failure, however well the others do afterwards."""
    payload = tree(bench, linux_images() | raw(bench, "failure", system_reset(1)), {
        "bad": properties("failure"), "good": linux_properties("uc.run=true")})
    with bench.inside(payload) as console:
        console.expect(r"^\[uc\] bad: failed: the guest reported a system failure$")
        console.expect(r"^good\| .*Run /init as init")
        console.expect(r"^\[uc\] good: shutdown$")
        bench.end(console, status=1)


@test(["noh", "u54"], tags=["many", "monitor"])
def monitor_commands(bench: Bench) -> None:
    """What the monitor does to guests that count and to one that waits to be started, and what it refuses."""
    payload = tree(bench, minikernel() | raw(bench, "counter", COUNTER_CODE), {
        "one": properties("counter"), "two": properties("counter"),
        "spare": properties("minikernel", "quiet", more=["undercroft,stopped"])})
    with bench.inside(payload) as console:
        console.expect(r"^\[uc\] guest spare: 64 MiB, 1 vCPU$")
        monitor = Monitor(console)
        monitor.open()
        monitor.ask("guests", r" +0 one +running", r" +1 two +running", r" +2 spare +created")
        refuse(monitor)
        pause(monitor)
        look_inside(monitor)
        # One that was not started, one that has come to its end, and one that is to begin anew.
        monitor.ask("start spare", r"spare: started$", r"spare\| minikernel: PASS$", r"\[uc\] spare: shutdown$")
        monitor.ask("start spare", r"spare: started$", r"spare\| minikernel: PASS$", r"\[uc\] spare: shutdown$")
        monitor.ask("reset two", r"two: reset$", r"\[uc\] two: reboot$")
        moves(monitor, "two")
        monitor.ask("stop one", r"one: stopped$", r"\[uc\] one: stopped$")
        monitor.ask("guests", r" +0 one +stopped", r" +1 two +running", r" +2 spare +shut down")
        monitor.ask("resume one", r"one: it is stopped$")
        monitor.ask("start one", r"one: started$")
        moves(monitor, "one")
        # The first quit asks back, and anything between it and the next withdraws it.
        monitor.ask("quit", r"not ended yet: one, two; quit again ends them$")
        monitor.ask("loglevel info")
        monitor.ask("quit", r"not ended yet: one, two; quit again ends them$")
        monitor.ask("quit")
        bench.end(console)
        if "[uc] error" in console.text:
            raise console.failure("the hypervisor complains")


def refuse(monitor: Monitor) -> None:
    """Commands that cannot be carried out, and what they say."""
    monitor.ask("guest", r"[^\n]*0 one +running")  # cut short is good enough
    monitor.ask("frobnicate", r"there is no command frobnicate; help lists them$")
    monitor.ask("st one", r"st could be start, stop, stats$")
    monitor.ask("pause", r"usage: pause NAME$")
    monitor.ask("pause three", r"no guest is called three; there are: one, two, spare$")
    monitor.ask("pause 3", r"there is no guest 3; guests lists them$")
    monitor.ask("resume one", r"one: it is running$")
    monitor.ask("start one", r"one: it is running$")
    monitor.ask("stop spare", r"spare: it is created$")
    monitor.ask("reset spare", r"spare: it is created$")
    monitor.ask("regs one 7", r"one has no vCPU 7: it has 1$")
    monitor.ask("mem one 0x10000000", r"0x10000000 is not memory of one$")
    monitor.ask("mem one zero", r"zero is no number")
    monitor.ask("mem one 0x80000000 5000", r"at most 4096 bytes at once$")
    monitor.ask("pt spare 0", r"spare: it was never started$")
    monitor.ask("loglevel loud", r"there is no level loud")
    monitor.ask("help pause", r" +pause NAME +halt a guest where it is$")


def moves(monitor: Monitor, name: str) -> None:
    """Waits until a guest's counter has changed."""
    before = monitor.word(name, COUNTER)
    monitor.console.until(lambda: monitor.word(name, COUNTER) != before, f"the counter of {name} stands still")


def pause(monitor: Monitor) -> None:
    """A paused guest stands still while another counts, and goes on from there."""
    moves(monitor, "one")
    monitor.ask("pause one", r"one: paused$")
    monitor.ask("pause one", r"one: it is paused$")
    monitor.ask("guests", r" +0 one +paused", r" +1 two +running")
    at_pause = monitor.word("one", COUNTER)
    for _ in range(5):
        moves(monitor, "two")
    if monitor.word("one", COUNTER) != at_pause:
        raise monitor.console.failure("a paused guest has counted on")
    monitor.ask("resume one", r"one: resumed$")
    moves(monitor, "one")
    if monitor.word("one", COUNTER) < at_pause:
        raise monitor.console.failure("the guest did not go on where it was paused")


def look_inside(monitor: Monitor) -> None:
    """Registers, memory, translation and exits of a guest, which must agree with each other."""
    monitor.ask("pause one", r"one: paused$")
    count = monitor.word("one", COUNTER)
    monitor.ask("regs one", r"one vCPU 0: pc 0x8020000[48c] in S-mode$", rf"[^\n]*t0 +0x{count:016x}|[^\n]*t0 +0x{count + 1:016x}",
                r" +t1 +0x0000000080200000")
    monitor.ask("mem one 0x80200000 16", r"0x80200000 +17 03 00 00 93 82 12 00 23 30 53 10 6f f0 9f ff")
    monitor.ask("pt one 0x80200100", r"one vCPU 0: address 0x80200100, ASID 0$", r" +level +guest: Bare +shadow: Sv\d\d$",
                r" +to +0x80200100 +0x[0-9a-f]+$")
    monitor.ask("trace 4 one", r" +time \(s\) hart guest:vCPU +cause", r" +\d+\.\d{9} +\d+ one:0 +[a-z-]+ .* 0x00000000802000")
    monitor.ask("stats one", r"one: \d+ exits$", r" +cause +count")
    monitor.ask("vcpus", r"guest +vCPU +state", r"one +0 +paused +\d+ +\d+ +0x00000000802000", r"two +0 +", r"spare +0 +stopped")
    monitor.ask("resume one", r"one: resumed$")


@test(["noh"], tags=["linux", "many", "long"])
def resets_beside_linux(bench: Bench) -> None:
    """A guest that reboots by itself all the time is also reset whenever Linux prints a line: at least 200 lives, and Linux works."""
    payload = tree(bench, linux_images() | minikernel(), {
        "mini": properties("minikernel", "quiet then=reboot"), "linux": linux_properties("uc.run=workload", vcpus=2)})
    with bench.inside(payload) as console:
        monitor = Monitor(console)
        console.expect(r"^linux\| ")
        monitor.open()
        while "linux| WORKLOAD " not in console.text:
            console.expect(BEGIN + r"(linux\| |\[uc\] linux: shutdown$)", limit=900)
            monitor.ask("reset mini", r"mini: reset$", r"\[uc\] mini: reboot$")
        while console.text.count("[uc] mini: reboot\n") < 200:
            monitor.ask("reset mini", r"mini: reset$", r"\[uc\] mini: reboot$")
        console.expect(BEGIN + r"mini\| minikernel: PASS$")
        monitor.ask("stop mini", r"mini: stopped$", r"\[uc\] mini: stopped$")
        bench.end(console)
        if "linux| WORKLOAD OK\n" not in console.text or "FAIL" in console.text:
            raise console.failure("a guest found something wrong")
        require_no_stall(console)


def memory(monitor: Monitor, name: str) -> list[str]:
    """What `memory` tells of the machine and of what a guest owns, but for what changes while guests run."""
    monitor.console.send("memory\r")
    machine = monitor.console.expect(BEGIN + r"(machine: .*)$")[1]
    hypervisor = monitor.console.expect(BEGIN + r"(hypervisor: .*)$")[1]
    row = monitor.console.expect(BEGIN + rf"({name} .* MiB .* KiB) +\d+ +(\d+) ")
    return [machine, hypervisor, row[1], row[2]]


@test(["noh"], tags=["many", "monitor"])
def resets_beside_minikernel(bench: Bench) -> None:
    """A guest is reset wherever it happens to be, 1000 times, while another counts; the memory is as it was."""
    payload = tree(bench, minikernel() | raw(bench, "counter", COUNTER_CODE), {
        "victim": properties("minikernel", "quiet then=reboot"), "counter": properties("counter")})
    with bench.inside(payload) as console:
        console.expect(r"^victim\| minikernel: PASS$")
        monitor = Monitor(console)
        monitor.open()
        before = memory(monitor, "victim")
        for _ in range(1000):
            monitor.ask("reset victim", r"victim: reset$", r"\[uc\] victim: reboot$")
        console.expect(BEGIN + r"victim\| minikernel: PASS$")
        after = memory(monitor, "victim")
        if after != before:
            raise console.failure(f"before the resets memory was {before}, now it is {after}")
        moves(monitor, "counter")
        monitor.ask("stop victim", r"victim: stopped$")
        monitor.ask("stop counter", r"counter: stopped$")
        bench.end(console)
        if "FAIL" in console.text:
            raise console.failure("one life of the guest failed")


@test(["noh", "smp4"], tags=["many", "monitor"])
def destroy_beside_working(bench: Bench) -> None:
    """A guest is destroyed wherever it happens to be, and created again, 20 times; another works, and all memory comes back."""
    payload = tree(bench, minikernel() | raw(bench, "counter", COUNTER_CODE), {
        "victim": properties("minikernel", "quiet then=reboot", vcpus=2), "counter": properties("counter")})
    with bench.inside(payload) as console:
        console.expect(r"^victim\| minikernel: PASS$")
        monitor = Monitor(console)
        monitor.open()
        with_it, without = memory(monitor, "victim"), None
        for _ in range(20):
            monitor.ask("destroy victim", r"victim: being destroyed$", r"\[uc\] victim: destroyed$")
            monitor.ask("guests", r" +0 victim +destroyed +0 MiB +0$")
            gone = memory(monitor, "victim")
            without = without or gone
            if gone != without or gone[1] != with_it[1]:
                raise console.failure(f"without the guest memory was {without}, now it is {gone}")
            monitor.ask("regs victim", r"victim has no vCPUs: it is destroyed$")
            monitor.ask("start victim", r"victim: it is destroyed$")
            monitor.ask("create victim", r"victim: being created$", r"\[uc\] victim: created$")
            monitor.ask("start victim", r"victim: started$")
            console.expect(BEGIN + r"victim\| minikernel: PASS$")
            if (now := memory(monitor, "victim")) != with_it:
                raise console.failure(f"with the guest memory was {with_it}, now it is {now}")
            moves(monitor, "counter")
        monitor.ask("destroy victim", r"victim: being destroyed$", r"\[uc\] victim: destroyed$")
        monitor.ask("stop counter", r"counter: stopped$")
        bench.end(console)
        if "FAIL" in console.text:
            raise console.failure("one life of the guest failed")


@test(["noh"], tags=["linux", "many", "monitor"])
def flood(bench: Bench) -> None:
    """Guests that print without end, attached or not, leave the prompt and each other their turn."""
    payload = tree(bench, linux_images() | raw(bench, "flood", FLOOD_CODE) | raw(bench, "counter", COUNTER_CODE), {
        "linux": linux_properties("uc.hostname=linux"), "flood": properties("flood"), "counter": properties("counter")})
    with bench.inside(payload) as console:
        console.expect_all(r"^flood\| f", r"^linux\| .*Run /init as init")
        monitor = Monitor(console)
        monitor.open()
        monitor.ask("guests", r" +0 linux +running", r" +1 flood +running", r" +2 counter +running")
        moves(monitor, "counter")
        # The other flood, from the guest that has the terminal.
        monitor.attach("linux")
        console.expect(r"^linux:\S+# ")
        console.send("while :; do echo streaming; done\n")
        console.expect(r"^streaming$")
        monitor.open()
        console.expect(BEGIN + r"streaming$")
        monitor.ask("pause flood", r"flood: paused$")
        monitor.ask("guests", r"\* +0 linux +running", r" +1 flood +paused", r" +2 counter +running")
        monitor.ask("resume flood", r"flood: resumed$")
        monitor.attach("linux")
        console.send("\x03")
        console.expect(r"linux:\S+# ")
        console.send("echo $((6 * 7))\n")
        console.expect(r"^42$")
        console.send("poweroff\n")
        console.expect(r"^\[uc\] linux: shutdown$")
        # Nobody has the terminal again: the one flood left is shown.
        console.expect(r"^flood\| f")
        monitor.open()
        monitor.ask("stop counter", r"counter: stopped$")
        monitor.ask("stop flood", r"flood: stopped$")
        bench.end(console)


@test(["noh", "u54"], tags=["many", "hostile", "monitor"])
def hostile_neighbour(bench: Bench) -> None:
    """A guest that faults for ever takes its share and no more, until it is stopped."""
    payload = tree(bench, minikernel() | {"hole": ("kernel", guest("satp_hole"))}, {
        "hole": properties("hole"), "mini": properties("minikernel", "repeat=3")})
    with bench.inside(payload) as console:
        console.expect_all(r"^hole\| BEGIN satp_hole$", r"^mini\| minikernel: PASS$", r"^\[uc\] mini: shutdown$")
        monitor = Monitor(console)
        monitor.open()
        monitor.ask("vcpus hole", r"hole +0 +(running|ready) ")
        monitor.ask("stats hole", r"hole: [1-9]\d+ exits$", r" +page-fault +\d")
        monitor.ask("stop hole", r"hole: stopped$")
        bench.end(console)
        if "[uc] error" in console.text:
            raise console.failure("the hypervisor complains")
