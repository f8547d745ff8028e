# Completions of bash for uipvs, ipvsadm and uipvsadm. Made by 'npm run docs' from the program's tables.
# shellcheck shell=bash

# Finds cur, the word at the cursor, and prev, the one before it. Bash splits words at '='.
__uipvs_words() {
  cur=${COMP_WORDS[COMP_CWORD]}
  prev=${COMP_WORDS[COMP_CWORD - 1]}
  if [[ $cur == = ]]; then
    cur=
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
}

# Offers those of the words that begin as cur does.
__uipvs_offer() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# Offers what bash itself knows of: files, directories, commands.
__uipvs_offer_names() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}

# Offers the interfaces of this network namespace.
__uipvs_offer_interfaces() {
  local path names=
  for path in /sys/class/net/*; do names+=" ${path##*/}"; done
  __uipvs_offer "$names"
}

# Completes a command line of ipvsadm that begins at the word of that number.
__uipvs_ipvsadm() {
  local first=$1
  if ((COMP_CWORD == first)); then
    __uipvs_offer '-A --add-service -E --edit-service -D --delete-service -C --clear -R --restore -S --save -a --add-server -e --edit-server -d --delete-server -L -l --list -Z --zero --set --start-daemon --stop-daemon -h --help -v --version'
    return
  fi
  case $prev in
    -t | --tcp-service | -u | --udp-service | --sctp-service | -f | --fwmark-service | -M | --netmask | -r | --real-server | --tun-port | -w | --weight | -x | --u-threshold | -y | --l-threshold | --syncid | --sync-maxlen | --mcast-group | --mcast-port | --mcast-ttl)
      return
      ;;
    -s | --scheduler)
      __uipvs_offer 'rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq twos'
      return
      ;;
    --pe)
      __uipvs_offer 'sip'
      return
      ;;
    -b | --sched-flags)
      __uipvs_offer 'sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3'
      return
      ;;
    --tun-type)
      __uipvs_offer 'ipip gue gre'
      return
      ;;
    --start-daemon | --stop-daemon)
      __uipvs_offer 'master backup'
      return
      ;;
    --mcast-interface)
      __uipvs_offer_interfaces
      return
      ;;
  esac
  case ${COMP_WORDS[first]} in
    -A* | --add-service) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -s --scheduler --pe -p --persistent -M --netmask -o --ops -b --sched-flags' ;;
    -E* | --edit-service) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -s --scheduler --pe -p --persistent -M --netmask -o --ops -b --sched-flags' ;;
    -D* | --delete-service) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6' ;;
    -S* | --save) __uipvs_offer '-n --numeric' ;;
    -a* | --add-server) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -r --real-server -g --gatewaying -i --ipip -m --masquerading --tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum -w --weight -x --u-threshold -y --l-threshold' ;;
    -e* | --edit-server) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -r --real-server -g --gatewaying -i --ipip -m --masquerading --tun-type --tun-port --tun-nocsum --tun-csum --tun-remcsum -w --weight -x --u-threshold -y --l-threshold' ;;
    -d* | --delete-server) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -r --real-server' ;;
    -L* | -l* | --list) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6 -c --connection --timeout --daemon --stats --rate -X --exact --thresholds --persistent-conn --tun-info --nosort --sort -n --numeric --syncid' ;;
    -Z* | --zero) __uipvs_offer '-t --tcp-service -u --udp-service --sctp-service -f --fwmark-service -6 --ipv6' ;;
    --start-daemon) __uipvs_offer '--syncid --sync-maxlen --mcast-interface --mcast-group --mcast-port --mcast-ttl' ;;
    --stop-daemon) __uipvs_offer '--syncid' ;;
  esac
}

_uipvs() {
  local cur prev
  COMPREPLY=()
  __uipvs_words
  if ((COMP_CWORD == 1)); then
    __uipvs_offer 'up down status ipvsadm run sysctl proc daemon install-links decap sim explain demo help version -h --help -V --version'
    return
  fi
  case ${COMP_WORDS[1]} in
    up)
      case $prev in
        --plane)
          __uipvs_offer 'auto proxy packet none'
          return
          ;;
        --io)
          __uipvs_offer 'auto uring sync'
          return
          ;;
        --capture)
          __uipvs_offer 'auto nft tcx'
          return
          ;;
        --pcap)
          __uipvs_offer_names -f
          return
          ;;
        --fsync)
          __uipvs_offer 'soon always'
          return
          ;;
        --drain | --conn-max | --metrics | --metrics-labels)
          return
          ;;
      esac
      __uipvs_offer '--plane --io --capture --pcap --fresh --fsync --drain --conn-max --proc-snapshots --metrics --metrics-labels -h --help'
      ;;
    down)
      case $prev in
        --timeout)
          return
          ;;
      esac
      __uipvs_offer '--timeout -h --help'
      ;;
    status)
      __uipvs_offer '--json --footprint -h --help'
      ;;
    ipvsadm)
      __uipvs_ipvsadm 2
      ;;
    run)
      case $prev in
        --proc)
          __uipvs_offer 'off fopen all'
          return
          ;;
        --director)
          return
          ;;
        --plane)
          __uipvs_offer 'auto proxy none'
          return
          ;;
      esac
      if [[ $cur == -* ]]; then
        __uipvs_offer '--proc --wait --director --private --plane -h --help'
      else
        __uipvs_offer_names -c
      fi
      ;;
    sysctl)
      if [[ $cur == -* ]]; then
        __uipvs_offer '-a --all -n --values -w --write -h --help'
      else
        __uipvs_offer 'net.ipv4.vs.am_droprate net.ipv4.vs.amemthresh net.ipv4.vs.backup_only net.ipv4.vs.cache_bypass net.ipv4.vs.conn_reuse_mode net.ipv4.vs.conntrack net.ipv4.vs.debug_level net.ipv4.vs.drop_entry net.ipv4.vs.drop_packet net.ipv4.vs.expire_nodest_conn net.ipv4.vs.expire_quiescent_template net.ipv4.vs.ignore_tunneled net.ipv4.vs.lblc_expiration net.ipv4.vs.lblcr_expiration net.ipv4.vs.nat_icmp_send net.ipv4.vs.pmtu_disc net.ipv4.vs.run_estimation net.ipv4.vs.schedule_icmp net.ipv4.vs.secure_tcp net.ipv4.vs.sloppy_sctp net.ipv4.vs.sloppy_tcp net.ipv4.vs.snat_reroute net.ipv4.vs.sync_persist_mode net.ipv4.vs.sync_ports net.ipv4.vs.sync_qlen_max net.ipv4.vs.sync_refresh_period net.ipv4.vs.sync_retries net.ipv4.vs.sync_sock_size net.ipv4.vs.sync_threshold net.ipv4.vs.sync_version'
      fi
      ;;
    proc)
      if [[ $cur == -* ]]; then
        __uipvs_offer '-h --help'
      else
        __uipvs_offer 'ip_vs ip_vs_conn ip_vs_conn_sync ip_vs_stats ip_vs_stats_percpu ip_vs_app'
      fi
      ;;
    daemon)
      case $prev in
        --plane)
          __uipvs_offer 'auto proxy packet none'
          return
          ;;
        --io)
          __uipvs_offer 'auto uring sync'
          return
          ;;
        --capture)
          __uipvs_offer 'auto nft tcx'
          return
          ;;
        --pcap)
          __uipvs_offer_names -f
          return
          ;;
        --fsync)
          __uipvs_offer 'soon always'
          return
          ;;
        --drain | --conn-max | --metrics | --metrics-labels)
          return
          ;;
      esac
      __uipvs_offer '--plane --io --capture --pcap --fresh --fsync --drain --until-eof --conn-max --proc-snapshots --metrics --metrics-labels -h --help'
      ;;
    install-links)
      if [[ $cur == -* ]]; then
        __uipvs_offer '--remove -h --help'
      else
        __uipvs_offer_names -d
      fi
      ;;
    decap)
      case $prev in
        --tunnel | --dev | --mtu)
          return
          ;;
      esac
      __uipvs_offer '--tunnel --dev --mtu -h --help'
      ;;
    sim)
      case $prev in
        --compare | --repeat | --seed | --assert | --workers)
          return
          ;;
        --html)
          __uipvs_offer_names -f
          return
          ;;
      esac
      if [[ $cur == -* ]]; then
        __uipvs_offer '--compare --repeat --seed --assert --workers --html --json --csv --timing -h --help'
      else
        __uipvs_offer_names -f
      fi
      ;;
    explain)
      case $prev in
        --rules)
          __uipvs_offer_names -f
          return
          ;;
        -t | --tcp-service | -u | --udp-service | -f | --fwmark-service | --from | --times | --without)
          return
          ;;
      esac
      __uipvs_offer '--rules -t --tcp-service -u --udp-service -f --fwmark-service --from --times --without --json -h --help'
      ;;
    demo)
      __uipvs_offer '-h --help'
      ;;
    help)
      if [[ $cur == -* ]]; then
        __uipvs_offer '-h --help'
      else
        __uipvs_offer 'up down status ipvsadm run sysctl proc daemon install-links decap sim explain demo help version'
      fi
      ;;
    version)
      __uipvs_offer '-h --help'
      ;;
  esac
}

_uipvs_as_ipvsadm() {
  local cur prev
  COMPREPLY=()
  __uipvs_words
  __uipvs_ipvsadm 1
}

complete -F _uipvs uipvs
complete -F _uipvs_as_ipvsadm ipvsadm uipvsadm
