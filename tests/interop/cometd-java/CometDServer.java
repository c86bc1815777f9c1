import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import org.cometd.bayeux.Channel;
import org.cometd.bayeux.server.BayeuxServer;
import org.cometd.bayeux.server.ServerMessage;
import org.cometd.bayeux.server.ServerSession;
import org.cometd.server.BayeuxServerImpl;
import org.cometd.server.ext.AcknowledgedMessagesExtension;
import org.cometd.server.ext.ActivityExtension;
import org.cometd.server.ext.BinaryExtension;
import org.cometd.server.ext.TimesyncExtension;
import org.cometd.server.ext.TimestampExtension;
import org.cometd.server.http.JSONHttpTransport;
import org.cometd.server.http.JSONPHttpTransport;
import org.cometd.server.http.jakarta.CometDServlet;
import org.cometd.server.websocket.jetty.JettyWebSocketTransport;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.server.Context;
import org.eclipse.jetty.server.NetworkConnector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.websocket.server.WebSocketUpgradeHandler;

/**
 * CometD's own server at the loopback interface, over long-polling, callback-polling and WebSocket, with its extensions:
 * java CometDServer.java PORT [OPTION=VALUE]...
 *
 * <p>Port 0 is any that is free. The options are those of CometD, such as timeout and maxInterval, and besides these
 * maxInactive, the milliseconds of its activity extension, and timestamp=true. Anybody may do anything that CometD
 * allows. A session can ask for metaConnectDeliverOnly in ext of its handshake. It says its port when it serves, and of
 * each session that ends whether its time was over; SIGTERM ends it.
 */
public class CometDServer {
    private static final String MAPPING = "/cometd/*";
    private static final Map<String, String> DEFAULTS = Map.of("maxMessageSize", "16777216", "ws.cometdURLMapping", MAPPING);

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        Server server = new Server(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        ServletContextHandler context = new ServletContextHandler("/");
        context.insertHandler(WebSocketUpgradeHandler.from(server, context));
        server.setHandler(context);

        BayeuxServerImpl bayeux = new BayeuxServerImpl();
        bayeux.setOption(Context.class.getName(), context.getContext());
        DEFAULTS.forEach(bayeux::setOption);
        for (int index = 1; index < arguments.length; index++) {
            String[] option = arguments[index].split("=", 2);
            bayeux.setOption(option[0], option[1]);
        }
        bayeux.setTransports(
                new JettyWebSocketTransport(bayeux), new JSONHttpTransport(bayeux), new JSONPHttpTransport(bayeux));
        extend(bayeux);
        bayeux.addListener(new BayeuxServer.SessionListener() {
            @Override
            public void sessionRemoved(ServerSession session, ServerMessage message, boolean timedOut) {
                say("expired", timedOut);
            }
        });
        context.setAttribute(BayeuxServer.ATTRIBUTE, bayeux);
        context.addServlet(CometDServlet.class, MAPPING).setInitOrder(1);

        server.start();
        say("port", ((NetworkConnector) server.getConnectors()[0]).getLocalPort());
    }

    private static void say(String name, Object value) {
        System.out.println("{\"" + name + "\": " + value + "}");
    }

    /** A session whose handshake has ext.metaConnectDeliverOnly true gets that of CometD's, and is told so. */
    private static class DeliverOnly implements BayeuxServer.Extension {
        private static final String NAME = "metaConnectDeliverOnly";

        @Override
        public boolean sendMeta(ServerSession session, ServerMessage.Mutable reply) {
            ServerMessage.Mutable request = reply.getAssociated();
            if (reply.isSuccessful()
                    && Channel.META_HANDSHAKE.equals(reply.getChannel())
                    && request.getExt() != null
                    && Boolean.TRUE.equals(request.getExt().get(NAME))) {
                session.setMetaConnectDeliveryOnly(true);
                reply.getExt(true).put(NAME, true);
            }
            return true;
        }
    }

    private static void extend(BayeuxServerImpl bayeux) {
        bayeux.addExtension(new AcknowledgedMessagesExtension());
        bayeux.addExtension(new TimesyncExtension());
        bayeux.addExtension(new BinaryExtension());
        bayeux.addExtension(new DeliverOnly());
        if (bayeux.getOption("timestamp") != null) {
            bayeux.addExtension(new TimestampExtension());
        }
        if (bayeux.getOption("maxInactive") instanceof String limit) {
            bayeux.addExtension(new ActivityExtension(ActivityExtension.Activity.CLIENT_SERVER, Long.parseLong(limit)));
        }
    }
}
