"""The backend on Google Cloud: Pub/Sub, Cloud Storage, BigQuery."""

import os
from functools import cache, partial
from pathlib import Path

from earmark.address import Address, read_address
from earmark.kept_bucket import KeptBucket
from earmark.ports import Clock, ObjectInfo, ObjectStore
from earmark.settings import Settings
from earmark.vocabulary import Lane, ObjectClass
from runtime.backend import TEMPORARY, Backend
from runtime.gcp.admissions import Admissions
from runtime.gcp.catalogue import BigQueryCatalogue
from runtime.gcp.claims import BucketClaims
from runtime.gcp.clients import PUBSUB_EMULATOR, Clients
from runtime.gcp.events import Announcer, Notifier
from runtime.gcp.names import BUCKETS, NOTICES, RESULTS, UPLOADS, Names, names_of
from runtime.gcp.notifications import Notifications
from runtime.gcp.object_store import GcsObjectStore
from runtime.gcp.pubsub_queue import PubSubQueue
from runtime.gcp.queue_watch import QueueWatch
from runtime.gcp.setup import make_buckets, make_notifications, make_queues
from runtime.gcp.signed_uploads import UploadSigner
from runtime.gcp.spool import Spool
from runtime.gcp.tries import Tries
from runtime.gcp.uploads import Uploads
from runtime.gcp.warehouse import BigQueryWarehouse
from runtime.routing.placing import Placing
from runtime.worker_name import own_name


class Cloud:
    """What the settings say, connected late: clients are made on first use, in the process that uses them."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Connect to nothing yet; raises ``ConfigurationError`` when no project is set."""
        self.settings = settings
        self.clock = clock
        self.names: Names = names_of(settings)
        self.clients = Clients(settings.gcp_project, settings.gcp_location, settings.gcp_pubsub_endpoint)
        self.bucket = cache(self._bucket)

    def _bucket(self, name: str) -> ObjectStore:
        """A bucket of ours by its short name, or any other."""
        return GcsObjectStore(self.clients.storage, self.names.bucket(name) if name in BUCKETS else name)

    @property
    def state(self) -> ObjectStore:
        """What the workers and routers remember of jobs on their way."""
        return self.bucket("state")

    def queue(self, name: str) -> PubSubQueue:
        """One of the three queues."""
        return PubSubQueue(
            name,
            publisher=self.clients.publisher,
            subscriber=self.clients.subscriber,
            topic=self.names.topic(name),
            subscription=self.names.subscription(name),
            dead_topic=self.names.topic("dead"),
            admissions=Admissions(self.state, name, worker=own_name(), clock=self.clock),
            tries=Tries(self.state, name),
            clock=self.clock,
        )

    def warehouse(self) -> BigQueryWarehouse:
        """The dataset, with its spool in the state bucket."""
        return BigQueryWarehouse(
            self.clients.bigquery,
            self.names.dataset,
            Spool(self.state, clock=self.clock),
            clock=self.clock,
            maximum_bytes_billed=self.settings.maximum_bytes_billed,
        )


def connect_gcp(settings: Settings, clock: Clock) -> Backend:
    """The adapters; nothing is connected before it is used."""
    cloud = Cloud(settings, clock)
    results = cloud.bucket("results")
    records = f"gs://{cloud.names.bucket('results')}"
    scratch = Path(settings.data) / "scratch"
    uploads = Uploads(cloud.bucket, scratch)
    announcer = Announcer(
        cloud.clients.publisher,
        cloud.names.topic(RESULTS),
        source=f"//earmark/{settings.gcp_project}/{settings.gcp_prefix}",
        records=records,
    )
    warehouse = cloud.warehouse()
    catalogue = BigQueryCatalogue(warehouse)

    def kept(name: str, object_class: ObjectClass) -> KeptBucket:
        return KeptBucket(name, object_class, cloud.bucket(name), catalogue.record, catalogue.find, clock)

    buckets = {UPLOADS: kept(UPLOADS, ObjectClass.UPLOAD), TEMPORARY: kept(TEMPORARY, ObjectClass.TEMPORARY)}

    def uri_of(bucket: str, info: ObjectInfo) -> str:
        return Address(cloud.names.bucket(bucket), info.name, info.generation).uri

    def object_of(uri: str) -> Address | None:
        if not uri.startswith("gs://"):
            return None
        address = read_address(uri)
        short = cloud.names.short(address.bucket)
        return None if short is None else address._replace(bucket=short)

    lanes, dead = {lane: cloud.queue(lane) for lane in Lane}, cloud.queue("dead")
    names = [each.name for each in (*lanes.values(), dead)]
    watch = QueueWatch(settings.gcp_project, {name: cloud.names.subscription(name) for name in names}, clock)
    watched = {} if os.environ.get(PUBSUB_EMULATOR) else {name: partial(watch.depth, name) for name in names}
    return Backend(
        lanes=dict(lanes),
        dead=dead,
        depths={each.name: each.depth for each in (*lanes.values(), dead)},
        watched=watched,
        results=results,
        state=cloud.state,
        warehouse=warehouse,
        catalogue=catalogue,
        temporary=cloud.bucket("temporary"),
        archive=cloud.bucket("archive"),
        audit=cloud.bucket("audit"),
        bucket=cloud.bucket,
        kept=buckets,
        uri_of=uri_of,
        object_of=object_of,
        chores=(warehouse.drain,),
        scratch=scratch,
        results_place=f"{records}/analyses",
        fetch=uploads.fetch,
        place=Placing(buckets[UPLOADS], partial(uri_of, UPLOADS)).place,
        claims=BucketClaims(cloud.state, results, clock=clock),
        announce=announcer.announce,
        publish_notice=Notifier(cloud.clients.publisher, cloud.names.topic(NOTICES)).publish,
        upload_bucket=cloud.names.bucket(UPLOADS),
        short_name=cloud.names.short,
        sign_upload=UploadSigner(lambda: cloud.clients.storage, cloud.names.bucket(UPLOADS)).sign,
        listen=lambda arrive: (
            Notifications(
                subscriber=cloud.clients.subscriber, subscription=cloud.names.subscription(UPLOADS), arrive=arrive
            ).run
        ),
    )


def initialise(settings: Settings, clock: Clock) -> list[str]:
    """Make what is missing of everything on Google Cloud; returns the names of what was made.

    Raises:
        Unavailable: a service cannot be reached; running it again goes on where it stopped.
        ConfigurationError: no project is set, or this user may not make something.
    """
    cloud = Cloud(settings, clock)
    made = make_queues(cloud.clients, cloud.names, ack_deadline_s=int(ack_deadline_s(settings)))
    made += make_buckets(cloud.clients, cloud.names, settings.gcp_location)
    made += make_notifications(cloud.clients, cloud.names)
    return made + cloud.warehouse().prepare()


def ack_deadline_s(settings: Settings) -> float:
    """The deadline of the lanes' subscriptions: that of a lease, as far as Pub/Sub allows."""
    return float(min(max(round(settings.lease_s), 10), 600))
