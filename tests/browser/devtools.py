"""devtools.py - a headless Chromium over its remote-debugging protocol, with the standard library alone."""
import base64, json, os, socket, struct, subprocess, tempfile, time, urllib.parse, urllib.request


class Socket:
    """A client's end of a WebSocket (RFC 6455): text messages, no extensions."""

    def __init__(self, url):
        parts = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive_bytes(1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError("no WebSocket: " + head.decode(errors="replace"))

    def receive_bytes(self, n):
        parts = []
        while n:
            part = self.socket.recv(n)
            if not part:
                raise RuntimeError("the browser has closed the connection")
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def send(self, text):
        data = text.encode()
        n = len(data)
        size = struct.pack("!B", 0x80 | n) if n < 126 else struct.pack("!BH", 0xfe, n) if n < 65536 else struct.pack("!BQ", 0xff, n)
        mask = os.urandom(4)
        self.socket.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        message = b""
        while True:
            first, second = self.receive_bytes(2)
            n = second & 0x7f
            if n == 126:
                n, = struct.unpack("!H", self.receive_bytes(2))
            elif n == 127:
                n, = struct.unpack("!Q", self.receive_bytes(8))
            data = self.receive_bytes(n)
            if first & 0x0f in (0, 1, 2):
                message += data
                if first & 0x80:
                    return message.decode()


class Browser:
    """with Browser("chromium") as browser: a page, its console, its size, its theme."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory(prefix="polyrank-browser.")
        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-extensions", "--remote-allow-origins=*",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.number, self.console, self.requests = 0, [], []

    def __enter__(self):
        path, end = os.path.join(self.folder.name, "DevToolsActivePort"), time.monotonic() + 60
        while not os.path.exists(path) or not open(path).read().strip():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("the browser does not start")
            time.sleep(0.05)
        port = open(path).read().split()[0]
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        self.socket = Socket(next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        for _ in range(20):  # its helpers may still write
            try:
                return self.folder.cleanup()
            except OSError:
                time.sleep(0.1)

    def take(self, message):
        """Keeps what a page says and asks for."""
        method, values = message.get("method"), message.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.console.append(values["type"] + ": " + " ".join(str(a.get("value")) for a in values["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append("exception: " + values["exceptionDetails"]["text"])
        elif method == "Log.entryAdded":
            self.console.append(values["entry"]["level"] + ": " + values["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])

    def call(self, method, **values):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": values}))
        while True:
            message = json.loads(self.socket.receive())
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(method + ": " + message["error"]["message"])
                return message["result"]
            self.take(message)

    def open(self, path, width, theme, height=900):
        self.console, self.requests = [], []
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        end = time.monotonic() + 60
        while self.ask("document.readyState") != "complete" or self.ask("location.href") == "about:blank":
            if time.monotonic() > end:
                raise RuntimeError("the page does not load")
            time.sleep(0.05)

    def ask(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(expression + ": " + str(result["exceptionDetails"]))
        return result["result"].get("value")

    def screenshot(self, path, whole=True, clip=None):
        values = {"format": "png", "captureBeyondViewport": whole}
        if clip:
            values["clip"] = dict(clip, scale=1)
        elif whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            values["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.call("Page.captureScreenshot", **values)["data"]))
