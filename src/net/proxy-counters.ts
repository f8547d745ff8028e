/** Running totals of the proxy plane. */
export interface ProxyCounters {
  tcp_accepted: number;
  /** Clients reset because no service took the flow. */
  tcp_refused_no_service: number;
  /** Clients reset because the service had no server to choose. */
  tcp_refused_no_dest: number;
  /** Clients reset where packets would have been dropped. */
  tcp_refused_drop: number;
  tcp_refused_table_full: number;
  tcp_connected: number;
  /** Servers that answered a connect with a reset. */
  tcp_server_refused: number;
  tcp_server_unreachable: number;
  /** Flows of which both sides ended in order. */
  tcp_ended: number;
  tcp_reset_by_peer: number;
  /** Flows whose entry ended while sockets were open. */
  tcp_reset_by_expiry: number;
  /** Flows reset because their server was deleted. */
  tcp_reset_nodest: number;
  /** Times that accepting stopped for want of descriptors. */
  tcp_accept_pauses: number;
  udp_datagrams_in: number;
  udp_datagrams_out: number;
  /** Client datagrams that the core did not take. */
  udp_refused: number;
  /** Datagrams lost to a full send queue or a socket that could not be opened. */
  udp_dropped: number;
  /** Server sockets closed because there were as many as allowed. */
  udp_sockets_evicted: number;
  udp_sockets_expired: number;
  /** Errors that the system reported on UDP sockets: mostly ICMP port unreachable. */
  udp_errors: number;
}

export function createCounters(): ProxyCounters {
  return {
    tcp_accepted: 0,
    tcp_refused_no_service: 0,
    tcp_refused_no_dest: 0,
    tcp_refused_drop: 0,
    tcp_refused_table_full: 0,
    tcp_connected: 0,
    tcp_server_refused: 0,
    tcp_server_unreachable: 0,
    tcp_ended: 0,
    tcp_reset_by_peer: 0,
    tcp_reset_by_expiry: 0,
    tcp_reset_nodest: 0,
    tcp_accept_pauses: 0,
    udp_datagrams_in: 0,
    udp_datagrams_out: 0,
    udp_refused: 0,
    udp_dropped: 0,
    udp_sockets_evicted: 0,
    udp_sockets_expired: 0,
    udp_errors: 0,
  };
}
