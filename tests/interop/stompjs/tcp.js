/** A TCP connection in the shape of a WebSocket, which is all that @stomp/stompjs asks of its transport. */

import net from "node:net";

export class TcpSocket {
  constructor(host, port) {
    this.url = `tcp://${host}:${port}`;
    this.binaryType = "arraybuffer";
    this.readyState = 0;
    this.socket = net.createConnection({ host, port });
    this.socket.on("connect", () => {
      this.readyState = 1;
      this.onopen?.({});
    });
    this.socket.on("data", (data) => this.onmessage?.({ data: Uint8Array.from(data).buffer }));
    this.socket.on("error", (error) => this.onerror?.(error));
    this.socket.on("close", () => {
      this.readyState = 3;
      this.onclose?.({ code: 1000, reason: "", wasClean: true });
    });
  }

  send(data) {
    this.socket.write(typeof data === "string" ? data : Buffer.from(data));
  }

  close() {
    this.readyState = 2;
    this.socket.end();
  }
}
