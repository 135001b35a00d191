# devtool fuzz [TARGET...]: looks for bytes that do harm to what reads them, led by the code that they reach (libFuzzer, AddressSanitizer).
#
# FUZZ_SECONDS (30) for each target; all targets unless some are named (Tests/FuzzTargets). Inputs that have reached something new are in
# .build/fuzz/inputs/TARGET and are what the next run begins with. One that does harm is written to .build/fuzz/harm, and again by
#     .build/fuzz/release/fuzz TARGET FILE
fuzz_command() {
    local seconds=${FUZZ_SECONDS:-30} folder=$SCRATCH/fuzz binary target line harmful=0 targets
    # What devices keep for good is no leak.
    export ASAN_OPTIONS=detect_leaks=0
    need_build
    say "building the fuzzers"
    (cd "$REPO" && MARTLET_FUZZ=1 "$SWIFT" build -j "$JOBS" --scratch-path "$folder" --product fuzz "${TEST_FLAGS[@]}" \
        --sanitize fuzzer -Xswiftc -sanitize=address,fuzzer) >&2 || fail "the fuzzers do not build"
    binary=$folder/release/fuzz
    mkdir -p "$folder/harm"
    if [ $# = 0 ]; then mapfile -t targets < <("$binary" --list); else targets=("$@"); fi
    for target in "${targets[@]}"; do
        mkdir -p "$folder/inputs/$target"
        "$binary" "$target" --seeds "$folder/inputs/$target"
        # No input takes more than 10 seconds, no allocation more than 256 MiB. (Locks are never freed, which makes for gigabytes with time.)
        if (cd "$folder/harm" && "$binary" "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=8192 \
            -malloc_limit_mb=256 -max_len=65536 -close_fd_mask=2 -artifact_prefix="$target-" -print_final_stats=1 "$folder/inputs/$target") \
            >"$folder/$target.log" 2>&1; then
            line=$(grep -E 'cov: ' "$folder/$target.log" | tail -n 1 |
                sed -E 's/.*cov: ([0-9]+) ft: [0-9]+ corp: ([0-9]+).*/\1 edges reached, \2 inputs kept/')
            printf '%-12s %10s runs, %s\n' "$target" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$target.log")" "$line"
        else
            harmful=$((harmful + 1))
            printf '%-12s HARMED by %s\n' "$target" "$(grep -oE "$target-[a-z]+-[0-9a-f]+" "$folder/$target.log" | tail -n 1)"
            grep -aE 'Fatal error|ERROR:|SUMMARY' "$folder/$target.log" | head -n 5 >&2 || true
        fi
    done
    [ $harmful = 0 ] || fail "$harmful targets were harmed: $folder/harm"
}
