"""
What names tell: of keys, of functions, of classes.

A name is the weakest evidence there is, so it decides only where nothing better is known. The lists
are the words that real servers use; `Settings.session_keys` and `bounded_keys` add to them.
"""

from __future__ import annotations

import re
from typing import Final

MAPS: Final = {
    "dict": "dict",
    "Dict": "dict",
    "defaultdict": "defaultdict",
    "DefaultDict": "defaultdict",
    "OrderedDict": "OrderedDict",
    "Counter": "Counter",
    "UserDict": "dict",
    "MutableMapping": "dict",
    "SortedDict": "SortedDict",
    "set": "set",
    "Set": "set",
    "OrderedSet": "set",
    "SortedSet": "set",
    "MutableSet": "set",
    "list": "list",
    "List": "list",
    "UserList": "list",
    "SortedList": "list",
    "deque": "deque",
    "Deque": "deque",
}
"""What grows, by the name it is made with."""

GROW: Final = frozenset(
    {"[]=", "setdefault", "add", "append", "appendleft", "insert", "extend", "update", "|=", "+=[]"}
)
"""What puts an entry in."""
COUNT: Final = "[]+="
"""What counts with ``+=`` under a key: it puts an entry in where a missing one counts as 0."""
SHRINK: Final = frozenset(
    {
        *("del[]", "pop", "popitem", "popleft", "clear", "remove", "discard"),
        *("difference_update", "intersection_update", "symmetric_difference_update", "-=", "&="),
        *("heappop", "pop_nowait", "__delitem__"),
    }
)
"""What takes an entry out, or many."""
READ: Final = frozenset({"[]", "get", "in", "iter", "keys", "values", "items", "copy", "[:]"})
"""What leaves a container as it is."""

BORROWS: Final = frozenset(
    {
        *("list", "dict", "tuple", "set", "frozenset", "str", "repr", "bool", "format", "cast"),
        *("len", "sum", "min", "max", "any", "all", "id", "type", "hash", "isinstance", "callable"),
        *("sorted", "iter", "next", "enumerate", "zip", "map", "filter", "reversed", "range"),
        *("chain", "islice", "choice", "join", "copy", "deepcopy", "hasattr", "getattr"),
        *("print", "dumps", "dump", "pformat", "getsizeof", "JSONResponse", "heappush"),
        *("debug", "info", "warning", "error", "exception", "log", "critical"),
        *("gather", "wait", "as_completed"),
    }
)
"""What is given a container and takes nothing out of it."""

STRONG_KEY: Final = re.compile(
    r"(^|[_.])(sess(ion)?|conv(ersation)?|thread|req(uest)?|conn(ection)?|client|user|chat|call"
    r"|task|job|run|room|peer|stream|socket|player|game|visitor|guest|member|order|message|msg"
    r"|event|correlation|trace|span|execution|workflow|invocation|transaction|tx|upload|download"
    r"|agent|worker|process|proc|subscription|sub|account|customer|actor"
    r"|ticket|turn|interaction|operation|instance|webhook|delivery"
    r"|participant|lobby|match|cart|checkout|tab|channel|cursor|update|document|doc"
    r"|author|sender|recipient|context|ctx|handle|timer|lease|lock|kernel|driver"
    r"|sandbox|invoice|payment|booking|sid|reply|export"
    r"|owner|frame|packet"
    r"|auction|poll|quiz|ride|trip|meeting|viewer|scan|crawl)"
    r"_?(id|uuid|uid|guid|token|sid|hash|ref|code|no|number)s?$"
    r"|(^|[_.])(sid|cid|uid|uuid|guid|jti|nonce|token|signature|sig|digest|fingerprint|etag"
    r"|websocket|ws|sock|socket|writer|transport|conn|connection|peer|peername|addr|address|ip"
    r"|ip_?addr(ess)?|remote|remote_addr|client|client_ip|client_host|host_ip|pid|fd|fut(ure)?"
    r"|waiter|task|idempotency_key|api_key|phone(_number)?|username|session_key|rid|tid|mid|visitor"
    r"|jid|qid|seq|request_hash|ticket|subscriber|listener|session|sess|conversation|user|player"
    r"|guest|member|viewer|chat|thread|request|req|job|request_key|conversation_key|thread_key"
    r"|client_key|user_key|login|caller|sender|participant|correlation|owner_id)s?$",
    re.IGNORECASE,
)
"""Keys of which there is one for each session, request, peer or task."""

MEDIUM_KEY: Final = re.compile(r"^id$|_ids?$|Id$|^key$|_key$|^ident|_uid$|^url$|_url$|^uri$")
"""Keys of which there is one for each of something."""

BOUNDED_KEY: Final = re.compile(
    r"(^|[_.])(provider|status_code|http_status|model|model_id|model_name|folder|directory|dir|lang|language|locale|type|kind"
    r"|typ|level|cls|klass|class_name|__name__|__class__|__qualname__|config|setting|option|opt|flag"
    r"|plugin|module|mod|package|command|cmd|tool|resource|prompt|skill|tool_name|method|verb|status|category|colou?r|shape"
    r"|field|column|col|table|ext|extension|suffix|env|environment|platform|region|zone|func|function"
    r"|fn|cls_name|app_name|appname|app_id|attr|attribute|prop|property|feature|backend|driver|engine|dialect|schema|format"
    r"|fmt|mime|mimetype|media_type|content_type|scheme|protocol|proto|version|role|permission|scope"
    r"|reason|cause|stage|phase|step_name|strategy|policy|mode|theme|unit|currency|country|weekday"
    r"|month|hour|letter|char|enum|event_name|event_type|signal_name|signum|sig_name|hook|hook_name"
    r"|param|parameter|arg_name|kwarg|route|endpoint|rule|rule_name|template|template_name|component"
    r"|component_name|handler_name|service|service_name|server_name|server|domain|namespace|ns"
    r"|section|label|label_name|metric|metric_name|symbol|interface|adapter|adapter_name|encoder"
    r"|decoder|codec|encoding|loader|opcode|code_name|index_name|dtype|device_type|annotation|cls_"
    r"|integration|entry_point|distribution|interpreter|arch|filename|file_name|filepath|file_path"
    r"|path|pattern|regex|glob|topic_name|parent_cls|base)s?$"
    r"|(^|_)(provider|model|folder|plugin|tool|command|module|class|type|kind|language|region|locale)(_?(name|key"
    r"|id|slug|type))?$|^[A-Z][A-Z0-9_]+$|\.[A-Z][A-Z0-9_]+$|_type$|_kind$|_class$|_cls$",
)
"""Keys of which there are as many as somebody wrote down."""

BOUNDED_ANNOTATION: Final = re.compile(
    r"^(bool|type|Type|Callable|Literal|ModuleType|FunctionType|Path|Enum|IntEnum|StrEnum)$"
    r"|(Type|Kind|Level|Status|Mode|Enum|Role|Reason|Category|Provider|Method)$"
)
"""Types of keys of which there are as many as somebody wrote down."""
STRONG_ANNOTATION: Final = re.compile(
    r"(Id$|ID$|WebSocket|Request|Connection|StreamWriter|StreamReader|Transport|Session|SessionId|Task|Future"
    r"|UUID|Socket|Client|Peer|Message|Interaction|Context|Queue|Subscriber|Process|Scope)"
)
"""Types of keys of which there is one for each session, request, peer or task."""

RANDOM: Final = re.compile(
    r"(uuid[1-8]?|token_hex|token_urlsafe|token_bytes|new_id|generate_\w*id|make_\w*id|ulid|nanoid"
    r"|get_peername|gen_\w*id|create_\w*id|next_\w*id|new_\w*id|getrandbits|urandom|shortuuid)$",
    re.IGNORECASE,
)
"""Calls that give a new value each time."""
REQUEST: Final = re.compile(
    r"(^|\.)(request|req|websocket|ws|socket|sock|conn|connection|interaction|scope|environ|headers"
    r"|cookies|client|peer|session|path_params|query_params|match_info)"
    r"([.\[]|$)"
)
"""Where a value comes with a request."""
MAY_COME: Final = re.compile(
    r"(^|\.)(message|msg|event|update|ctx|context|payload|body|data|params|query|frame|packet|envelope"
    r"|notification|webhook|job|task|inbound|incoming)([.\[]|$)"
)
"""Where a value may come with a request."""

SHORT_OWNER: Final = re.compile(
    r"(Session|Request|(?<!Application)Context|Connection|Visitor|Parser|Builder|Response|Message|Event|Transaction"
    r"|Conversation|Turn|Transformer|Lexer|Tokenizer|Exception|Error|Warning|Params|Options|Config"
    r"|Settings|Result|Node|Token|Frame|Packet|Payload|Args|Namespace|Model|Schema|Iterator|Cursor"
    r"|Reader|Writer|Formatter|Encoder|Decoder|Serializer|Scope|Statement|Expression|Query"
    r"|Row|Record|Entry|Item|Test|TestCase|Mock|Fake|Stub|Job|Task|Run|Span|Trace|Step|Transcript"
    r"|Process|Protocol|Stream|Channel|Socket|WebSocket|Page|View|Form|Widget|Analyzer|Compiler"
    r"|Generator|Emitter|Mixin|Info|Spec|Report|Summary|Metadata|Document|State|Data|Command"
    r"|Action|Operation|Snapshot|Bundle|Resource|Template|Element|Graph|Tree|Plan|Scenario|Dataset)$"
)
"""Classes of which there are many, each for a while."""

LONG_OWNER: Final = re.compile(
    r"(Manager|Registry|Store|Storage|Server|Service|Pool|Hub|Broker|Router|Cache|Limiter|Throttler"
    r"|Throttle|Middleware|Plugin|Cog|Bot|App|Application|Backend|Tracker|Dispatcher|Coordinator"
    r"|Controller|Supervisor|Orchestrator|Gateway|Engine|Monitor|Scheduler|Proxy|Bus|Repository"
    r"|Provider|Daemon|Relay|Multiplexer|Handler|Collector|Saver|Runtime|Executor|Runner"
    r"|Queue|Namespace|Bridge|Factory|Guard|Recorder|Publisher|Connector|Notifier|PubSub|Channels?Layer|Lobby"
    r"|Jar|Impl|Exporter|Tools|Toolkit|Holder|Authorize|Resolver|Retriever|Verifier|Adapter|Host|Exchange|Watcher|Locks|Sessions|Connections|Rooms|Presence|Worker"
    r"|Distributor|Swarm|Cluster|Kernel|Memory|Board|Table|Directory|Index|Ledger|Inbox"
    r"|Outbox|Mailbox|Buffer|Aggregator|Debouncer|Deduplicator|Deduper|Authenticator|Auth)$"
)
"""Classes of which there is one, for as long as the program runs."""

EXIT_METHOD: Final = frozenset({"__exit__", "__aexit__", "__del__"})
SHUTDOWN: Final = re.compile(
    r"^_*(a?close|stop|shutdown|shut_down|terminate|tear_?down|dispose|destroy|finali[sz]e|clean_?up"
    r"|on_shutdown|on_stop|on_cleanup|exit|quit|disconnect_all|close_all|stop_all|kill_all|cancel_all"
    r"|shutdown_all|cleanup_all|async_shutdown|async_stop|unload|cog_unload|async_unload\w*|__del__"
    r"|__exit__|__aexit__|reset|reset_\w*|clear|flush_all|wait_closed"
    r"|drain|lifespan|set_up|setup|reload|restart|on_unload|clear_\w+|init\w*|start|a?enter\w*)$"
)
"""Functions in which a map is emptied because its owner ends or begins anew, not an entry."""

RESET: Final = re.compile(r"^_*(reset|clear|reload|restart|clear_\w+|reset_\w+|init\w*|setup)$")
"""Those of them that begin anew, and may be called more than once."""

EVENT: Final = re.compile(
    r"^_*(on\w+|\w*_(deleted|removed|closed|ended|left|disconnect(ed)?|gone|destroyed|expired)"
    r"|handle_\w*(delete|close|end|leave|disconnect|remove|gone|stop|exit|bye|terminat|hangup|kick)\w*"
    r"|(session|connection|client|user|peer)_?(deleted|closed|ended|lost|left)|disconnect(ed)?)$"
)
"""Functions that somebody else calls when something ends, if it does."""

TRANSPORT_EVENT: Final = re.compile(
    r"^_*(on_?)?(connection_lost|eof_received|close|disconnect|ws_close|websocket_disconnect)$"
    r"|^_?handle_\w*disconnect$"
)
"""Events that the event loop itself owes."""

COMMAND: Final = re.compile(
    r"(^|_)(delete|remove|logout|log_out|sign_?out|leave|unsubscribe|reset|forget|revoke|stop|end|quit"
    r"|cancel|close|kill|terminate|clear|purge|abort|exit|bye|destroy|unregister|dismiss|kick)(_|$)"
)
"""Functions that somebody asks for, to end something."""
SWEEP: Final = re.compile(
    r"(sweep|evict|prune|purge|expire|clean_?up|gc|collect|reap|cull|trim|vacuum|housekeep|maintenance"
    r"|remove_(old|stale|expired|dead|idle|inactive)|drop_(old|stale|expired)|janitor|timeout)"
)
"""Functions that look for what has had its time."""

SEEN: Final = re.compile(
    r"(seen|replay|nonce|processed|dedup|idempot|cool_?down|rate|hits|attempts|used_|handled|already"
    r"|throttl|last_(sent|seen|request|call|message|alert|notif)|signatures|visited|consumed|delivered"
    r"|sent_|revoked|blacklist|blocklist|denylist|banned|windows?$|_window|flood|spam|strikes|warned"
    r"|notified|alerted|recent)",
    re.IGNORECASE,
)
"""Containers that remember what came, so that it counts once or not too often."""
LOCK: Final = re.compile(
    r"(^|[._])(Lock|RLock|Semaphore|BoundedSemaphore|Condition|CapacityLimiter)(\(|$)"
)
"""What makes a lock."""

OWNED: Final = frozenset(
    {
        *("create_subprocess_exec", "create_subprocess_shell", "open_process", "Popen"),
        *("create_task", "ensure_future", "run_coroutine_threadsafe", "partial"),
        *("on", "subscribe", "add_listener", "addListener", "add_event_listener", "listen"),
        *("watch", "add_handler", "register", "connect", "observe", "attach", "bind"),
        *("add_callback", "add_observer", "add_subscriber", "register_callback"),
        *("register_handler",),
    }
)
"""Calls whose result must be ended by somebody: which local name it gets is noted as ``let``."""

TEST_PATH: Final = re.compile(
    r"(^|/)(tests?|testing|test_utils|conftest|benchmarks?|bench|examples?|docs?|samples?|tutorials?|stubs"
    r"|fixtures|migrations)(/|$)|(^|/)(test_[^/]*|[^/]*_test|conftest|setup|noxfile|fabfile|tasks)\.py$"
)
"""Files that no server runs."""

SAFE_CALL: Final = frozenset(
    {
        # What speaks.
        *("debug", "info", "warning", "error", "exception", "log", "critical", "print"),
        *("getLogger", "inc", "dec", "observe", "labels"),
        # What makes a value out of another.
        *("str", "int", "float", "bool", "repr", "hash", "round", "hex", "format", "cast"),
        *("strip", "lower", "upper", "startswith", "join", "isoformat", "uuid4", "token_hex"),
        *("dict", "list", "tuple", "set", "deque", "defaultdict", "partial", "create"),
        # What looks.
        *("len", "isinstance", "id", "type", "hasattr", "getattr", "locked", "is_set", "done"),
        *("min", "max", "any", "all", "sorted", "range", "enumerate", "zip", "iter"),
        *("time", "monotonic", "perf_counter", "now", "utcnow"),
        # What is done to a container.
        *("get", "items", "keys", "values", "append", "add", "discard", "setdefault", "copy"),
        *("update", "pop", "clear", "touch", "[]=", "in", "[]", "del[]", "=", "let", "|="),
        # What is done in an event loop.
        *("create_task", "ensure_future", "create_future", "get_running_loop", "get_event_loop"),
        *("Event", "Lock", "Queue", "Future", "Semaphore", "add_done_callback", "put_nowait"),
        *("cancel", "set_name", "remove_reader", "suppress", "timeout"),
        *("wait_for", "shield", "gather", "sleep", "wait"),
    }
)
"""Calls that do not fail in practice: what fails of the last ones is their await."""
