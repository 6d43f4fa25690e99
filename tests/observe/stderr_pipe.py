from __future__ import annotations

import os


class Pipe:
    """A real pipe: a stream to write to, and its other end."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding=encoding)

    def read(self) -> str:
        """What has been written; waits until there is something."""
        return os.read(self.reading, 1 << 20).decode()

    def fill(self) -> int:
        """Write until the pipe takes no more, as if nobody had read it for long; how much it took."""
        descriptor = self.stream.fileno()
        os.set_blocking(descriptor, False)
        size = 0
        try:
            while True:
                size += os.write(descriptor, b"x" * 1024)
        except BlockingIOError:
            os.set_blocking(descriptor, True)
            return size

    def drain(self, size: int) -> None:
        while size > 0:
            size -= len(os.read(self.reading, size))

    def hang_up(self) -> None:
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1

    def close(self) -> None:
        self.hang_up()
        self.stream.close()
