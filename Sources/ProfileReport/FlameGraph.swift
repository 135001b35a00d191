// The flame graph: one SVG file that any browser shows, without anything from elsewhere. Widths are time, callers stand above what they
// call. A click on a frame makes it as wide as the picture; a click on the first one goes back; "search" marks frames by name.

struct FlameGraph {
    private let tree: CallTree
    /// Nanoseconds of a period.
    private let period: Double
    private static let width = 1200.0
    private static let rowHeight = 17.0
    private static let top = 28.0
    /// Narrower frames are left out, in pixels.
    private static let narrowest = 0.15
    private static let deepest = 200
    /// Pixels that a letter takes.
    private static let letter = 6.6

    private struct Box {
        var node: Int
        var x: Double
        var depth: Int
    }

    init(_ tree: CallTree, period: Double) {
        self.tree = tree
        self.period = period
    }

    var svg: String {
        let boxes = layOut()
        let height = Self.top + Double((boxes.map(\.depth).max() ?? 0) + 1) * Self.rowHeight + 10
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" class="flames" viewBox="0 0 \(fixed(Self.width, 0)) \(fixed(height, 0))" \
            width="100%" font-family="monospace" font-size="11">
            <style>.flames g { cursor: pointer } .flames g:hover rect { stroke: #000 } .flames .found rect { fill: #d050d0 }</style>
            <rect class="ground" width="100%" height="100%" fill="#fafafa"/>
            <text class="search" x="4" y="17" fill="#06c" style="cursor: pointer">search</text>
            <text class="status" x="64" y="17" fill="#333"></text>

            """
        for box in boxes { text += element(box) }
        return text + "<script><![CDATA[\(Self.script)]]></script>\n</svg>\n"
    }

    /// Frames from the root downwards, each row's from left to right.
    private func layOut() -> [Box] {
        let scale = Self.width / Double(max(tree.nodes[0].total, 1))
        var boxes: [Box] = []
        var pending = [Box(node: 0, x: 0, depth: 0)]
        while let box = pending.popLast() {
            boxes.append(box)
            var x = box.x
            for child in tree.sortedChildren(box.node) {
                let width = Double(tree.nodes[child].total) * scale
                if width >= Self.narrowest, box.depth < Self.deepest {
                    pending.append(Box(node: child, x: x, depth: box.depth + 1))
                }
                x += width
            }
        }
        return boxes
    }

    private func element(_ box: Box) -> String {
        let node = tree.nodes[box.node]
        let width = Double(node.total) * Self.width / Double(max(tree.nodes[0].total, 1))
        let y = Self.top + Double(box.depth) * Self.rowHeight
        let name = escapedMarkup(node.name)
        let place = node.file.isEmpty ? "" : " (\(escapedMarkup(node.file)))"
        let time =
            "\(seconds(Double(node.total) * period)) s, "
            + "\(percent(Double(node.total), of: Double(tree.nodes[0].total))) %"
        let own = "self \(percent(Double(node.own), of: Double(tree.nodes[0].total))) %"
        let letters = Int((width - 4) / Self.letter)
        let label = letters < 3 ? "" : escapedMarkup(String(node.name.prefix(letters)))
        return """
            <g data-x="\(fixed(box.x, 3))" data-w="\(fixed(width, 3))" data-n="\(name)">\
            <title>\(name)\(place): \(time), \(own)</title>\
            <rect x="\(fixed(box.x, 2))" y="\(fixed(y, 0))" width="\(fixed(width, 2))" height="\(fixed(Self.rowHeight - 1, 0))" \
            rx="1" fill="\(color(node))"/>\
            <text x="\(fixed(box.x + 3, 2))" y="\(fixed(y + 12, 0))">\(label)</text></g>

            """
    }

    /// Warm colours for functions, alike within a file; blue for what Martlet does for them.
    private func color(_ node: CallNode) -> String {
        func mix(_ text: String) -> Int { text.utf8.reduce(7) { ($0 * 31 + Int($1)) & 0xffff } }
        let shade = mix(node.name) % 12
        if node.name.hasPrefix("[") { return "hsl(210, 55%, \(68 + shade)%)" }
        return "hsl(\(mix(node.file) % 60), 80%, \(58 + shade)%)"
    }

    private static let script = """
        (function () {
          var svg = document.currentScript.parentNode, width = \(fixed(width, 0)), letter = \(letter);
          var frames = Array.prototype.slice.call(svg.querySelectorAll('g'));
          var status = svg.querySelector('.status'), marked = '';
          function number(g, name) { return parseFloat(g.getAttribute(name)); }
          function show(start, length) {
            frames.forEach(function (g) {
              var x = number(g, 'data-x'), w = number(g, 'data-w');
              var left = Math.max(0, (x - start) / length * width);
              var right = Math.min(width, (x + w - start) / length * width);
              g.style.display = right - left > 0.1 ? '' : 'none';
              if (right - left <= 0.1) return;
              var rect = g.querySelector('rect'), text = g.querySelector('text');
              rect.setAttribute('x', left);
              rect.setAttribute('width', right - left);
              text.setAttribute('x', left + 3);
              var letters = Math.floor((right - left - 4) / letter);
              text.textContent = letters < 3 ? '' : g.getAttribute('data-n').slice(0, letters);
            });
          }
          frames.forEach(function (g) {
            g.addEventListener('click', function () { show(number(g, 'data-x'), number(g, 'data-w')); });
            g.addEventListener('mouseover', function () { status.textContent = g.querySelector('title').textContent; });
            g.addEventListener('mouseout', function () { status.textContent = marked; });
          });
          svg.querySelector('.search').addEventListener('click', function () {
            var wanted = prompt('Part of a name (nothing: no marks)', '');
            if (wanted === null) return;
            var total = 0, end = -1;
            frames.slice().sort(function (a, b) { return number(a, 'data-x') - number(b, 'data-x') ||
                number(b, 'data-w') - number(a, 'data-w'); }).forEach(function (g) {
              var found = wanted !== '' && g.getAttribute('data-n').indexOf(wanted) >= 0;
              g.setAttribute('class', found ? 'found' : '');
              if (found && number(g, 'data-x') >= end - 0.001) {
                total += number(g, 'data-w');
                end = number(g, 'data-x') + number(g, 'data-w');
              }
            });
            marked = wanted === '' ? '' : wanted + ': ' + (total / width * 100).toFixed(1) + ' %';
            status.textContent = marked;
          });
        })();
        """
}

/// Text inside markup, attributes included. Control characters have no place there.
func escapedMarkup(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case _ where scalar.value < 0x20 || scalar.value == 0xfffe || scalar.value == 0xffff: result += "?"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
