# The tour of `devtool try`: run by a riscv64 busybox shell. Every command is a child process of the emulated shell.
busybox=$1
echo "machine: $($busybox uname -m), kernel $($busybox uname -s)"
echo "pipeline: $($busybox seq 1 1000 | $busybox grep 7 | $busybox wc -l) of the numbers to 1000 contain a 7"
i=0
while [ $i -lt 5 ]; do
    $busybox echo "child $i says $($busybox expr $i \* $i)" &
    wait
    i=$((i + 1))
done
$busybox printf 'delta\nalpha\ncharlie\nbravo\n' | $busybox sort | $busybox tr '\n' ' '
echo
$busybox seq 1 20000 | $busybox sha256sum
(exit 3)
echo "a child's exit status: $?"
