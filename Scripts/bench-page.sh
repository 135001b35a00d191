# The page of `devtool bench --html`: for each row a bar for native, qemu-user and martlet; behind martlet's the bars of earlier runs, the
# latest of them first. Lengths are times native, on a scale of logarithms: a bar twice as long is a square.

BENCH_PAGE_RUNS=5       # earlier runs that are drawn

# Prints the page of "$BENCH/rows" and of the runs kept in "$BENCH/history".
bench_page() {
    local kept=() file earlier=()
    mapfile -t kept < <(ls "$BENCH/history" | sort -rn | head -$((BENCH_PAGE_RUNS + 1)))
    for file in "${kept[@]:1}"; do earlier+=("$BENCH/history/$file"); done
    awk -v title="martlet $("$MARTLET" version | sed -n '1s/^martlet version //p')" -v host="$(bench_host)" \
        -v qemu="$("$QEMU" --version | head -1)" -v runs="$RUNS" -v now="$(date -u +%Y-%m-%dT%H:%M)" '
        function text(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
        function number(s) { return s ~ /^[0-9]+$/ && s > 0 }
        # Times native as a length of 60 to 600: 1 to 64 times.
        function long(x) { x = 60 + 540 * log(x < 1 ? 1 : x) / log(64); return x > 600 ? 600 : x }
        function bar(kind, x, label) {
            printf "<rect class=\"%s\" x=\"110\" y=\"%d\" width=\"%.0f\" height=\"%d\"/>", kind, y, long(x), kind == "old" ? 3 : 9
            if (label != "") printf "<text x=\"%.0f\" y=\"%d\">%s</text>", 116 + long(x), y + 9, text(label)
            print ""
            y += kind == "old" ? 4 : 11
        }
        function time(us) { return us < 100000 ? sprintf("%.2f ms", us / 1000) : sprintf("%.0f ms", us / 1000) }
        FNR == 1 { run++ }
        /^#/ { if (run > 1) when[run] = $2 " " $3; next }
        run == 1 { order[++count] = $2; native[$2] = $3; of[$2, "qemu"] = $5; of[$2, "martlet"] = $7; next }
        number($3) && number($7) { old[$2, run] = $7 / $3 }
        END {
            print "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" text(title) "</title><style>"
            print "body{font:14px sans-serif;margin:2em;max-width:60em}svg text{font:11px sans-serif}"
            print ".native{fill:#888}.qemu{fill:#d95f02}.martlet{fill:#1b7f5c}.old{fill:#9fd4c1}.key span{padding:0 .6em;color:#fff}"
            print "</style></head><body>\n<h1>" text(title) "</h1>\n<p>" text(host) ". " text(qemu) ". Medians of " runs " runs, " now ".</p>"
            print "<p class=\"key\"><span style=\"background:#888\">native</span> <span style=\"background:#d95f02\">qemu-user</span> <span style=\"background:#1b7f5c\">martlet</span> <span style=\"background:#9fd4c1;color:#000\">martlet, earlier runs</span></p>"
            print "<p>Lengths are times native, by logarithms; shorter is faster.</p>"
            y = 4
            for (i = 1; i <= count; i++) {
                name = order[i]
                if (!number(native[name])) { skipped = skipped " " name; continue }
                printf "<svg width=\"760\" height=\"%d\" role=\"img\" aria-label=\"%s\"><text x=\"0\" y=\"13\">%s</text>\n", 40 + 4 * (run - 1), text(name), text(name)
                y = 2
                bar("native", 1, time(native[name]))
                split("qemu martlet", kinds, " ")
                for (k = 1; k <= 2; k++)
                    if (number(of[name, kinds[k]])) bar(kinds[k], of[name, kinds[k]] / native[name], sprintf("%.2f times, %s", of[name, kinds[k]] / native[name], time(of[name, kinds[k]])))
                for (r = 2; r <= run; r++) if ((name, r) in old) bar("old", old[name, r], "")
                print "</svg><br>"
            }
            if (skipped != "") print "<p>Without a native time, and so not drawn:" text(skipped) ".</p>"
            if (run > 1) {
                print "<p>Earlier runs, from above:"
                for (r = 2; r <= run; r++) print text(when[r]) (r < run ? "," : ".")
                print "</p>"
            }
            print "</body></html>"
        }' "$BENCH/rows" "${earlier[@]}"
}
