"""Keeps a Kafka client from creating the topics that it asks about.

Defect: consumer and producer take `allow_auto_create_topics`, but do not hand it to the object that asks the brokers, which
then allows the brokers to create each topic it asks for. So a topic that an operator has deleted is back within a second,
with the brokers' number of partitions. Seen in kafka-python 3.0.12; no upstream issue found.
"""

from __future__ import annotations

from kafka.net.compat import KafkaNetClient


def create_nothing_by_asking(net: KafkaNetClient) -> None:
    """Let no request for metadata create a topic. Call it before the client first asks."""
    net.cluster.config["allow_auto_create_topics"] = False
