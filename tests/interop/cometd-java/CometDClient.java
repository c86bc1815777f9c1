import jakarta.websocket.ContainerProvider;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.cometd.bayeux.BinaryData;
import org.cometd.bayeux.Channel;
import org.cometd.bayeux.Message;
import org.cometd.bayeux.client.ClientSession;
import org.cometd.bayeux.client.ClientSessionChannel;
import org.cometd.client.BayeuxClient;
import org.cometd.client.ext.AckExtension;
import org.cometd.client.ext.BinaryExtension;
import org.cometd.client.ext.TimestampClientExtension;
import org.cometd.client.ext.TimesyncClientExtension;
import org.cometd.client.http.jetty.JettyHttpClientTransport;
import org.cometd.client.transport.ClientTransport;
import org.cometd.client.websocket.jakarta.WebSocketTransport;
import org.eclipse.jetty.client.HttpClient;
import org.eclipse.jetty.util.ajax.JSON;

/**
 * java CometDClient.java URL USER PASSWORD TRANSPORT CASE: plays one case, and says what comes of it, a line of JSON
 * each.
 */
public class CometDClient {
    private static final long LIMIT_S = 20;

    private final String url;
    private final Map<String, Object> authentication;
    private final String transport;
    private final HttpClient http = new HttpClient();

    private CometDClient(String url, String user, String password, String transport) throws Exception {
        this.url = url;
        this.authentication = Map.of("user", user, "password", password);
        this.transport = transport;
        http.start();
    }

    public static void main(String[] arguments) throws Exception {
        CometDClient client = new CometDClient(arguments[0], arguments[1], arguments[2], arguments[3]);
        switch (arguments[4]) {
            case "roundtrip" -> client.roundTrip();
            case "patterns" -> client.patterns();
            case "batch" -> client.batch();
            case "follow" -> client.follow();
            case "clock" -> client.clock();
            case "binary" -> client.binary();
            case "again" -> client.again();
            case "refused" -> client.refused();
            default -> throw new IllegalArgumentException(arguments[4]);
        }
        System.exit(0);
    }

    private void roundTrip() throws Exception {
        BayeuxClient reading = open();
        BayeuxClient writing = open();
        Reader reader = new Reader(reading, "/a/b");
        boolean confirmed = true;
        for (Object data : new Object[] {1, "two", List.of(3), Map.of("four", 4), 1.5}) {
            confirmed &= asked(done -> writing.getChannel("/a/b").publish(data, done)).isSuccessful();
        }
        List<Object> got = reader.take(5);
        say("type", reading.getTransport().getName(), "confirmed", confirmed, "got", got, "left", reader.left());
        leave(reading, writing);
    }

    private void patterns() throws Exception {
        BayeuxClient client = open();
        Reader one = new Reader(client, "/a/*");
        Reader all = new Reader(client, "/a/**");
        for (String channel : List.of("/a/b", "/a/b/c", "/a", "/a/d")) {
            asked(done -> client.getChannel(channel).publish(channel, done));
        }
        boolean service = asked(done -> client.getChannel("/service/x").subscribe((channel, message) -> {}, done))
                .isSuccessful();
        say("one", one.take(2), "all", all.take(3), "left", one.left() + all.left(), "service", service);
        leave(client);
    }

    private void batch() throws Exception {
        BayeuxClient client = open();
        BlockingQueue<Object> got = new LinkedBlockingQueue<>();
        ClientSessionChannel channel = client.getChannel("/batch");
        ClientSessionChannel.MessageListener listener = (from, message) -> got.add(message.getData());
        List<CompletableFuture<Message>> replies = new ArrayList<>();
        client.batch(() -> {
            replies.add(asking(done -> channel.subscribe(listener, done)));
            IntStream.range(0, 20).forEach(number -> replies.add(asking(done -> channel.publish(number, done))));
        });
        boolean successful = true;
        for (CompletableFuture<Message> reply : replies) {
            successful &= reply.get(LIMIT_S, TimeUnit.SECONDS).isSuccessful();
        }
        say("successful", successful, "got", IntStream.range(0, 20).mapToObj(number -> poll(got)).toList());

        boolean unsubscribed = asked(done -> channel.unsubscribe(listener, done)).isSuccessful();
        boolean published = asked(done -> channel.publish("unseen", done)).isSuccessful();
        boolean left = client.disconnect(TimeUnit.SECONDS.toMillis(LIMIT_S)) && client.isDisconnected();
        say("unsubscribed", unsubscribed, "published", published, "left", left, "got", got.size());
    }

    /** Says what comes to /a, acknowledged, up to "end". */
    private void follow() throws Exception {
        BayeuxClient client = make();
        client.addExtension(new AckExtension());
        Object acknowledged = connect(client).getExt().get("ack");
        Reader reader = new Reader(client, "/a");
        say("session", client.getId(), "acknowledged", acknowledged);
        Object data = null;
        while (!"end".equals(data)) {
            data = reader.next();
            say("data", data);
        }
        say("session", client.getId(), "left", reader.left());
        leave(client);
    }

    private void clock() throws Exception {
        BayeuxClient client = make();
        TimesyncClientExtension sync = new TimesyncClientExtension();
        client.addExtension(sync);
        client.addExtension(new TimestampClientExtension());
        connect(client);
        boolean successful = asked(done -> client.getChannel("/a").publish(1, done)).isSuccessful();
        say("successful", successful, "near", Math.abs(sync.getOffset()) < 1000, "lag", sync.getLag() >= 0);
        leave(client);
    }

    private void binary() throws Exception {
        BayeuxClient client = make();
        client.addExtension(new BinaryExtension());
        connect(client);
        BlockingQueue<BinaryData> got = new LinkedBlockingQueue<>();
        asked(done -> client.getChannel("/bytes")
                .subscribe((channel, message) -> got.add((BinaryData) message.getData()), done));
        byte[] bytes = new byte[257];
        IntStream.range(0, bytes.length).forEach(index -> bytes[index] = (byte) index);
        asked(done -> client.getChannel("/bytes").publish(new BinaryData(bytes, true, Map.of("name", "all")), done));
        BinaryData data = poll(got);
        say("hex", HexFormat.of().formatHex(data.asBytes()), "last", data.isLast(), "meta", data.getMetaData());
        leave(client);
    }

    /** Subscribes in each session that it is given; says so, and what comes, up to "end". */
    private void again() throws Exception {
        BayeuxClient client = make();
        BlockingQueue<Object> got = new LinkedBlockingQueue<>();
        client.getChannel(Channel.META_HANDSHAKE).addListener((ClientSessionChannel.MessageListener) (meta, shaken) -> {
            if (shaken.isSuccessful()) {
                client.getChannel("/a").subscribe(
                        (channel, message) -> got.add(message.getData()), reply -> say("subscribed", client.getId()));
            }
        });
        connect(client);
        Object data = null;
        while (!"end".equals(data)) {
            data = poll(got);
            say("data", data);
        }
        leave(client);
    }

    private void refused() throws Exception {
        BayeuxClient client = make();
        Message reply = shake(client);
        boolean over = client.waitFor(TimeUnit.SECONDS.toMillis(LIMIT_S), BayeuxClient.State.DISCONNECTED);
        say("successful", reply.isSuccessful(), "error", reply.get(Message.ERROR_FIELD), "advice", reply.getAdvice(),
                "over", over);
    }

    private BayeuxClient make() throws Exception {
        ClientTransport carrier = transport.equals("websocket")
                ? new WebSocketTransport(new HashMap<>(), null, ContainerProvider.getWebSocketContainer())
                : new JettyHttpClientTransport(new HashMap<>(), http);
        BayeuxClient client = new BayeuxClient(url, carrier);
        client.setOption(BayeuxClient.BACKOFF_INCREMENT_OPTION, 50L);
        return client;
    }

    private BayeuxClient open() throws Exception {
        BayeuxClient client = make();
        connect(client);
        return client;
    }

    /** The reply to the handshake; returns when the first connect was answered too. */
    private Message connect(BayeuxClient client) throws Exception {
        Message reply = shake(client);
        if (!client.waitFor(TimeUnit.SECONDS.toMillis(LIMIT_S), BayeuxClient.State.CONNECTED)) {
            throw new IllegalStateException(reply.toString());
        }
        return reply;
    }

    private Message shake(BayeuxClient client) throws Exception {
        Map<String, Object> ext = new HashMap<>(Map.of("authentication", authentication)); // the extensions add to it
        return asked(done -> client.handshake(new HashMap<>(Map.of("ext", ext)), done));
    }

    private static void leave(BayeuxClient... clients) {
        for (BayeuxClient client : clients) {
            client.disconnect(TimeUnit.SECONDS.toMillis(LIMIT_S));
        }
    }

    /** The reply to a request that `act` makes. */
    private static Message asked(Consumer<ClientSession.MessageListener> act) throws Exception {
        return asking(act).get(LIMIT_S, TimeUnit.SECONDS);
    }

    private static CompletableFuture<Message> asking(Consumer<ClientSession.MessageListener> act) {
        CompletableFuture<Message> reply = new CompletableFuture<>();
        act.accept(reply::complete);
        return reply;
    }

    private static <T> T poll(BlockingQueue<T> queue) {
        try {
            return Objects.requireNonNull(queue.poll(LIMIT_S, TimeUnit.SECONDS), "nothing comes");
        } catch (InterruptedException x) {
            throw new IllegalStateException(x);
        }
    }

    private static synchronized void say(Object... pairs) {
        Map<String, Object> line = new LinkedHashMap<>();
        for (int index = 0; index < pairs.length; index += 2) {
            line.put((String) pairs[index], pairs[index + 1]);
        }
        System.out.println(new JSON().toJSON(line));
    }

    /** Subscribed to a channel; the data of what comes. */
    private static class Reader {
        private final BlockingQueue<Object> came = new LinkedBlockingQueue<>();

        Reader(BayeuxClient client, String channel) throws Exception {
            Message reply = asked(done ->
                    client.getChannel(channel).subscribe((from, message) -> came.add(message.getData()), done));
            if (!reply.isSuccessful()) {
                throw new IllegalStateException(reply.toString());
            }
        }

        Object next() {
            return poll(came);
        }

        List<Object> take(int count) {
            return IntStream.range(0, count).mapToObj(number -> next()).toList();
        }

        int left() {
            return came.size();
        }
    }
}
